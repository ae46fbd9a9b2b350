"""The verbs of the Makefile: what they accept, and that they say the truth with their exit code."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def bash(script: str) -> subprocess.CompletedProcess[str]:
    """Runs a script that knows what the verbs know."""
    return subprocess.run(
        ["bash", "-c", f"source scripts/machine.sh; {script}"],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("version", ["v20.19.0", "v20.20.2", "v22.12.0", "v23.1.0", "v24.19.0"])
def test_a_node_that_suits_vite_is_used(version: str) -> None:
    assert bash(f"version_suits {version}").returncode == 0


@pytest.mark.parametrize("version", ["v18.20.8", "v20.18.3", "v21.7.3", "v22.11.0"])
def test_a_node_that_does_not_is_left_alone(version: str) -> None:
    assert bash(f"version_suits {version}").returncode != 0


def test_all_steps_run_and_the_failed_ones_are_named_at_the_end() -> None:
    done = bash("step first false; step second true; step third false; finish Everything")

    assert done.returncode != 0
    assert re.search(r"Failed after .*: first, third\.$", done.stderr.strip())
    assert "── second" in done.stdout


def test_when_every_step_passes_the_last_line_says_so() -> None:
    done = bash('step first true; finish "All 3 tests passed"')

    assert done.returncode == 0
    assert re.match(r"✓ All 3 tests passed in \d+ min \d+ s\.$", done.stdout.splitlines()[-1])


def test_every_verb_of_the_makefile_has_its_script() -> None:
    verbs = re.findall(r"^(\w+): ; @scripts/(\w+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)

    assert {name for name, _ in verbs} >= {"run", "test", "check", "fix", "bench", "nightly"}
    for name, script in verbs:
        assert name == script
        assert (ROOT / "scripts" / script).stat().st_mode & 0o111, script
