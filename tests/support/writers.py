"""Writers that race: processes of their own, each with several threads, on one database.

A verb is a function of a module that sets Django up when it is imported and has a `VERBS`. Loading the site takes
longer than most races: it is done once, in a process that touches no database and forks each writer.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import traceback
from typing import TYPE_CHECKING, Any, Self

from tests.support.deadline import PATIENCE_S
from tests.support.server import ROOT, clean_environment

if TYPE_CHECKING:
    from collections.abc import Callable


class Writers:
    """The writers of one database. Use as a context manager."""

    def __init__(self, module: str, database_url: str, **environment: str) -> None:
        self._command = [sys.executable, "-m", "tests.support.writers", module]
        self._environment = clean_environment(
            DATABASE_URL=database_url, DJANGO_SETTINGS_MODULE="commsite.settings", **environment
        )
        self._process: subprocess.Popen[str] | None = None

    def run(self, *writers: list[Any]) -> list[Any]:
        """Lets them write at once, each `[verb, argument, ...]`, and waits for all; what each of them answered."""
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(writers) + "\n")
        process.stdin.flush()
        line = process.stdout.readline()
        assert line, "the writers have ended"
        answers = json.loads(line)
        failed = [answer["failed"] for answer in answers if "failed" in answer]
        assert not failed, "\n".join(failed)
        return [answer["answer"] for answer in answers]

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command,
            cwd=ROOT,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        self._process.communicate(timeout=PATIENCE_S)


def fork_each(writers: list[list[Any]], verbs: dict[str, Callable[..., object]]) -> list[Any]:
    """Forks a process for each; none begins before all are there. Their answers, in the same order."""
    gate, open_gate = os.pipe()
    pipes, children = [], []
    for verb, *arguments in writers:
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            os.close(open_gate)
            os.read(gate, 1)  # ends when the parent opens the gate
            _answer(writing, verbs[verb], arguments)
        os.close(writing)
        pipes.append(reading)
        children.append(child)
    os.close(gate)
    os.close(open_gate)
    answers = [json.loads(_all_of(pipe)) for pipe in pipes]
    for child in children:
        os.waitpid(child, 0)
    return answers


def _answer(pipe: int, verb: Callable[..., object], arguments: list[Any]) -> None:
    """In the child: does it, says what came of it, and ends without the parent's clean-up."""
    try:
        said: dict[str, object] = {"answer": verb(*arguments)}
    except BaseException:
        said = {"failed": traceback.format_exc()}
    with os.fdopen(pipe, "w") as out:
        json.dump(said, out)
    os._exit(0)


def _all_of(pipe: int) -> str:
    with os.fdopen(pipe) as answer:
        return answer.read()


if __name__ == "__main__":
    its_verbs = importlib.import_module(sys.argv[1]).VERBS
    for line in sys.stdin:
        print(json.dumps(fork_each(json.loads(line), its_verbs)), flush=True)  # noqa: T201
