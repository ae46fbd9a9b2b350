"""What waits for the beat, and for how long."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from conversation.assistant import beat
from conversation.assistant.beat import AFTER_S, BEAT_S, BURST_S, left_s, on_the_beat

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

BEAT = 100 * BEAT_S
"""The moment of a beat."""
LONG_AGO = float("-inf")


@pytest.mark.parametrize("late_s", [-0.001, 0.0, BURST_S / 2])
def test_what_comes_with_a_beat_is_told_at_once_and_so_is_what_comes_right_after(
    late_s: float,
) -> None:
    assert left_s(BEAT + late_s, BEAT - BEAT_S) == 0.0
    assert left_s(BEAT + late_s, BEAT) == 0.0


def test_what_comes_between_two_beats_waits_for_the_next_when_something_was_told_since_the_last() -> (
    None
):
    assert left_s(BEAT + 0.03, BEAT + 0.001) == pytest.approx(BEAT_S - 0.03 + AFTER_S)


def test_what_comes_between_two_beats_is_told_at_once_when_nothing_was() -> None:
    assert left_s(BEAT + 0.03, BEAT - 0.01) == 0.0
    assert left_s(BEAT + 0.03, LONG_AGO) == 0.0


def test_nothing_waits_longer_than_40_ms() -> None:
    waits = [left_s(BEAT + step / 10_000, BEAT + step / 10_000) for step in range(1200)]

    assert 0.0 in waits
    assert 0.03 < max(waits) <= 0.04


async def test_a_wait_ends_with_the_beat(monkeypatch: pytest.MonkeyPatch) -> None:
    tape = Tape(monkeypatch)
    tape.now = BEAT + 0.03
    await beat.next_beat()

    assert tape.now == pytest.approx(BEAT + BEAT_S)


class Tape:
    """Words that come at their times, and a clock that stands still unless somebody waits."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *words: tuple[float, str]) -> None:
        self.now = BEAT
        self.words = words
        self.read: list[tuple[float, str]] = []
        monkeypatch.setattr(beat, "asyncio", self)

    def get_running_loop(self) -> Tape:
        return self

    def time(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds

    async def blocks(self) -> AsyncGenerator[str]:
        for after_s, word in self.words:
            self.now = max(self.now, BEAT + after_s)
            yield word

    async def play(self, begins_with: str) -> list[tuple[int, str]]:
        """Each word with the milliseconds after the start at which it was read."""
        said: list[str] = []
        read: list[tuple[int, str]] = []
        async for word in on_the_beat(self.blocks(), lambda: begins_with in said):
            said.append(word)
            read.append((round((self.now - BEAT) * 1000), word))
        return read


async def test_the_first_word_is_read_at_once_and_what_follows_on_the_beat(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tape = Tape(
        monkeypatch, (0.003, "role"), (0.011, "one"), (0.02, "two"), (0.03, "three"), (0.05, "four")
    )

    assert await tape.play("one") == [
        (3, "role"),
        (11, "one"),
        (38, "two"),
        (38, "three"),
        (50, "four"),
    ]


async def test_a_model_that_never_lets_us_wait_is_read_as_fast_as_it_speaks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tape = Tape(monkeypatch, *[(0.0, str(number)) for number in range(1000)])

    assert await tape.play("0") == [(0, str(number)) for number in range(1000)]
