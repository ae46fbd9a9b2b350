"""What may be a reaction."""

from __future__ import annotations

import pytest

from conversation.emoji import is_reaction


@pytest.mark.parametrize(
    "emoji",
    [
        "👍",
        "❤️",
        "❤",
        "👍🏽",
        "👩‍👩‍👧‍👦",
        "🧑🏽‍💻",
        "🏳️‍🌈",
        "🇩🇪",
        "🏴󠁧󠁢󠁥󠁮󠁧󠁿",
        "1️⃣",
        "✅",
        "⌚",
        "\u2139\ufe0f",
        "©️",
        "🫨",
        "🪿",
        ":shipit:",
        ":+1:",
    ],
    ids=ascii,
)
def test_one_emoji_or_a_short_name_is_a_reaction(emoji: str) -> None:
    assert is_reaction(emoji)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "ok",
        "1",
        "👍👍",
        "👍 ",
        "👍\n",
        "🇩",
        "🇩🇪🇫",
        "\u200d",
        "\ufe0f",
        "👍\u200d",
        "\u0301",
        "é",
        "<b>",
        "::",
        ":Ship It:",
        ":" + "a" * 33 + ":",
        "👩" + "\u200d👩" * 12,
        "\U000e0067",
    ],
    ids=ascii,
)
def test_anything_else_is_none(text: str) -> None:
    assert not is_reaction(text)
