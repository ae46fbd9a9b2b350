"""The dated file of results: whoever measures again replaces its own section and no other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench import dated

if TYPE_CHECKING:
    from pathlib import Path


def test_a_section_is_replaced_and_the_others_stay_in_their_order(tmp_path: Path) -> None:
    path = tmp_path / "2026-01-02.md"
    dated.put(path, ["## Claims", "", "old"], ["## Remarks", "", "by hand"], head=["# Head", "a"])
    dated.put(path, ["## Presence", "", "### Joins", "one"])

    dated.put(path, ["## Claims", "", "new"])

    assert path.read_text() == (
        "# Head\na\n\n## Claims\n\nnew\n\n## Presence\n\n### Joins\none\n\n## Remarks\n\nby hand\n"
    )


def test_the_head_is_that_of_the_day_until_somebody_writes_another(tmp_path: Path) -> None:
    path = tmp_path / "results" / "2026-01-02.md"

    dated.put(path, ["## Runs", "", "1.1"])
    assert path.read_text() == "# Benchmarks of 2026-01-02\n\n## Runs\n\n1.1\n"
    dated.put(path, head=["# Other", "", "- machine"])

    assert path.read_text() == "# Other\n\n- machine\n\n## Runs\n\n1.1\n"
