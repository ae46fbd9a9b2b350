"""The dated file of results: a head, then sections, each replaced by the measurement that it is of and by no other."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

RESULTS = Path(__file__).resolve().parent / "results"
LAST = "Remarks"


def path_of_today() -> Path:
    """Return the file of this day, UTC."""
    return RESULTS / f"{datetime.datetime.now(tz=datetime.UTC).date().isoformat()}.md"


def put(path: Path, *sections: Sequence[str], head: Sequence[str] = ()) -> None:
    """Put sections (lines, the first of them "## Title") into the file, in the place of those with their titles.

    New ones go to the end, but before the remarks. `head` replaces what stands before all sections.
    """
    text = path.read_text() if path.exists() else f"# Benchmarks of {path.stem}\n"
    first, *blocks = text.split("\n## ")
    if head:
        first = "\n".join(head)
    found = {_title(block): block.strip() for block in blocks}
    for lines in sections:
        block = "\n".join(lines).removeprefix("## ").strip()
        found[_title(block)] = block
    remarks = found.pop(LAST, None)
    if remarks is not None:
        found[LAST] = remarks
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n\n## ".join([first.strip(), *found.values()]) + "\n")


def _title(block: str) -> str:
    return block.partition("\n")[0].strip()
