# Every verb is one line over scripts/. `make run` on a fresh machine is all a newcomer needs.
.PHONY: run test check fix bench nightly
run: ; @scripts/run
test: ; @scripts/test
check: ; @scripts/check
fix: ; @scripts/fix
bench: ; @scripts/bench
nightly: ; @scripts/nightly
