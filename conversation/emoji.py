"""What may be a reaction: one emoji as people see one, or a short name between colons. Pure.

The grammar is that of Unicode's UTS 51 (emoji sequences); which signs are emoji is told by their
blocks, so that those of years to come are taken as well.
"""

import re

_MODIFIED = r"(?:\ufe0f|[\U0001f3fb-\U0001f3ff])?"
_SIGN = (
    r"[\u00a9\u00ae\u203c\u2049\u2122\u2139\u2194-\u21aa\u231a-\u23ff\u24c2\u25aa-\u27bf\u2934\u2935"
    r"\u2b05-\u2b55\u3030\u303d\u3297\u3299\U0001f000-\U0001f1e5\U0001f200-\U0001faff]"
)
_TAGS = r"(?:[\U000e0020-\U000e007e]{1,8}\U000e007f)?"
_ELEMENT = f"{_SIGN}{_MODIFIED}{_TAGS}"
_FLAG = r"[\U0001f1e6-\U0001f1ff]{2}"
_KEYCAP = r"[0-9#*]\ufe0f?\u20e3"
_NAME = r":[a-z0-9_+-]{1,32}:"
_REACTION = re.compile(f"(?:{_FLAG}|{_KEYCAP}|{_NAME}|{_ELEMENT}(?:\u200d{_ELEMENT}){{0,9}})")


def is_reaction(text: str) -> bool:
    """Whether the text is exactly one emoji, or a name such as `:shipit:`."""
    return _REACTION.fullmatch(text) is not None
