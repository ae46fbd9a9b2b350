"""Who types: merged over processes, forgotten in time, told no more often than it is news."""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from conversation.typists import Typist, Typists

ROOM, EXPIRY_S = "room", 10.0


def typist(user_id: int, now: float = 0.0, thread_id: str | None = None) -> Typist:
    return Typist(user_id, f"user {user_id}", thread_id, now + EXPIRY_S)


def ids(typists: list[Typist]) -> list[int]:
    return [each.user_id for each in typists]


def test_people_of_two_processes_do_not_erase_each_other() -> None:
    typists = Typists(EXPIRY_S)
    typists.start(ROOM, "one", typist(1), 0.0)
    typists.start(ROOM, "other", typist(2), 0.0)

    typists.stop(ROOM, 1, "one")

    assert ids(typists.on(ROOM, 1.0)) == [2]


def test_somebody_types_until_the_last_process_that_said_so_takes_it_back() -> None:
    typists = Typists(EXPIRY_S)
    typists.start(ROOM, "one", typist(1), 0.0)
    typists.start(ROOM, "other", typist(1), 0.0)
    typists.tell(ROOM, 0.0)

    assert not typists.stop(ROOM, 1, "one")
    assert ids(typists.on(ROOM, 1.0)) == [1]
    assert typists.stop(ROOM, 1, "other")
    assert typists.on(ROOM, 1.0) == []


def test_a_message_ends_the_typing_of_its_author_in_every_process() -> None:
    typists = Typists(EXPIRY_S)
    typists.start(ROOM, "one", typist(1), 0.0)
    typists.start(ROOM, "other", typist(1), 0.0)

    typists.stop(ROOM, 1)

    assert (typists.on(ROOM, 1.0), len(typists)) == ([], 0)


def test_typing_that_is_not_said_again_ends_by_itself() -> None:
    typists = Typists(EXPIRY_S)
    typists.start(ROOM, "one", typist(1), 0.0)
    typists.tell(ROOM, 0.0)

    assert typists.expire(9.9) == []
    assert typists.expire(10.0) == [ROOM]
    assert typists.tell(ROOM, 10.0) == []
    assert typists.expire(20.0) == []


def test_no_process_can_make_somebody_type_for_longer_than_the_expiry() -> None:
    typists = Typists(EXPIRY_S)

    typists.start(ROOM, "one", typist(1, now=1_000.0), 0.0)

    assert typists.on(ROOM, 10.0) == []


def test_going_on_is_told_again_only_when_what_was_told_runs_out() -> None:
    typists = Typists(EXPIRY_S)
    assert typists.start(ROOM, "one", typist(1), 0.0)
    typists.tell(ROOM, 0.0)

    assert not typists.start(ROOM, "one", typist(1, 3.0), 3.0)
    assert typists.start(ROOM, "one", typist(1, 6.0), 6.0)


def test_going_on_in_a_thread_is_news() -> None:
    typists = Typists(EXPIRY_S)
    typists.start(ROOM, "one", typist(1), 0.0)
    typists.tell(ROOM, 0.0)

    assert typists.start(ROOM, "one", typist(1, 1.0, "t"), 1.0)
    assert [each.thread_id for each in typists.tell(ROOM, 1.0)] == ["t"]


class Said(NamedTuple):
    user_id: int
    origin: str
    is_typing: bool
    pause_s: int


sayings = st.lists(
    st.builds(
        Said,
        st.integers(1, 3),
        st.sampled_from(["one", "other"]),
        st.booleans(),
        st.integers(0, 6),
    ),
    max_size=40,
)


@given(sayings, st.lists(st.booleans(), min_size=40, max_size=40))
def test_a_client_that_loses_frames_is_right_again_with_the_next_one_or_in_time(
    said: list[Said], arrives: list[bool]
) -> None:
    typists = Typists(EXPIRY_S)
    meant: dict[tuple[int, str], float] = {}
    shown: dict[int, float] = {}
    now = 0.0
    for saying, is_heard in zip(said, arrives, strict=False):
        now += saying.pause_s
        is_news = bool(typists.expire(now))
        if saying.is_typing:
            meant[saying.user_id, saying.origin] = now + EXPIRY_S
            is_news |= typists.start(ROOM, saying.origin, typist(saying.user_id, now), now)
        else:
            meant.pop((saying.user_id, saying.origin), None)
            is_news |= typists.stop(ROOM, saying.user_id, saying.origin)
        truth = {user_id for (user_id, _), until in meant.items() if until > now}
        assert set(ids(typists.on(ROOM, now))) == truth
        shown = {user_id: until for user_id, until in shown.items() if until > now}
        if is_news:
            frame = {each.user_id: each.until for each in typists.tell(ROOM, now)}
            shown = frame if is_heard else shown
            if is_heard:
                assert set(shown) == truth
    assert all(until - now <= EXPIRY_S for until in shown.values())
