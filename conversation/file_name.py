"""Names of files as people gave them, made safe to show and to save under. Pure."""

import re
import unicodedata
from typing import Final

MOST_CHARS: Final = 200
NAMELESS: Final = "file"

_FOLDERS: Final = re.compile(r".*[/\\]", re.DOTALL)
# Controls, marks that turn the direction of writing (`gpj.exe` would read `exe.jpg`), halves of pairs.
_UNWANTED: Final = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
_RESERVED: Final = re.compile(r'[<>:"|?*]')


def safe_name(given: str) -> str:
    """The last part of the name without what could deceive or harm; never empty."""
    name = unicodedata.normalize("NFC", _FOLDERS.sub("", given[-4096:]))
    name = "".join(
        character for character in name if unicodedata.category(character) not in _UNWANTED
    )
    name = " ".join(_RESERVED.sub("_", name).split()).strip(". ")
    return _shortened(name) or NAMELESS


def _shortened(name: str) -> str:
    """At most so many characters, with what follows the last full stop kept if that is short."""
    if len(name) <= MOST_CHARS:
        return name
    stem, dot, ending = name.rpartition(".")
    if not dot or len(ending) > 16:
        return name[:MOST_CHARS].rstrip()
    return stem[: MOST_CHARS - len(ending) - 1].rstrip(". ") + dot + ending
