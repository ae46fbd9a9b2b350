"""What a page makes a browser load."""

from __future__ import annotations

import gzip
import json

from tests.support.server import ROOT

BUILT = ROOT / "static"


def scripts_of(*entries: str) -> set[str]:
    """Every script file that these entries of the manifest load, by way of their imports."""
    manifest = json.loads((BUILT / ".vite" / "manifest.json").read_text())
    found: set[str] = set()
    waiting = list(entries)
    while waiting:
        chunk = manifest[waiting.pop()]
        if chunk["file"] not in found:
            found.add(chunk["file"])
            waiting += chunk.get("imports", [])
    return found


def test_a_conversation_loads_at_most_90_kb_of_script() -> None:
    scripts = scripts_of("src/site.ts", "src/conversation/page.ts")
    weight = sum(len(gzip.compress((BUILT / name).read_bytes())) for name in scripts)
    assert weight <= 90_000
