"""The memory of revocations, as a value: what is news, what it judges, what it may forget."""

import uuid

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from commsite.clients.revocation import Notice, Revocations
from commsite.realtime.auth import Identity

LIFETIME_S = 900.0
PHONE, LAPTOP = str(uuid.uuid4()), str(uuid.uuid4())


def ada(session_id: str = PHONE, version: int = 0) -> Identity:
    return Identity(user_id=1, username="ada", session_id=session_id, token_version=version)


def session_ended(session_id: str = PHONE, at: float = 0.0) -> Notice:
    return Notice(at=at, reason="logout", session_id=session_id)


def user_raised(version: int, at: float = 0.0) -> Notice:
    return Notice(at=at, reason="password_changed", user_id=1, version=version)


@pytest.fixture
def memory() -> Revocations:
    return Revocations(LIFETIME_S)


def test_nobody_is_revoked_before_anything_was_heard(memory: Revocations) -> None:
    assert memory.revoked(ada()) is None


def test_a_revoked_session_takes_only_its_own_tokens_along(memory: Revocations) -> None:
    memory.apply([session_ended(PHONE)])
    assert memory.revoked(ada(PHONE)) is not None
    assert memory.revoked(ada(LAPTOP)) is None


def test_a_raised_version_voids_everything_issued_before_it_and_nothing_after(
    memory: Revocations,
) -> None:
    memory.apply([user_raised(3)])
    assert memory.revoked(ada(version=2)) is not None
    assert memory.revoked(ada(version=3)) is None


def test_a_raised_version_is_nothing_to_other_users(memory: Revocations) -> None:
    memory.apply([user_raised(3)])
    grace = Identity(user_id=2, username="grace", session_id=LAPTOP)
    assert memory.revoked(grace) is None


def test_the_same_notice_is_news_only_once(memory: Revocations) -> None:
    notices = [session_ended(), user_raised(1)]
    assert memory.apply(notices) == notices
    assert memory.apply(notices) == []


def test_an_older_version_that_arrives_late_lowers_nothing(memory: Revocations) -> None:
    memory.apply([user_raised(5)])
    assert memory.apply([user_raised(4)]) == []
    assert memory.revoked(ada(version=4)) is not None


def test_a_session_id_is_recognised_in_every_spelling(memory: Revocations) -> None:
    memory.apply([session_ended(PHONE.upper())])
    assert memory.revoked(ada(PHONE)) is not None


def test_nothing_is_forgotten_while_a_token_issued_before_it_may_be_alive(
    memory: Revocations,
) -> None:
    memory.apply([session_ended(at=100.0), user_raised(1, at=100.0)])
    assert memory.prune(now=100.0 + LIFETIME_S) == 0
    assert memory.revoked(ada()) is not None


def test_what_no_living_token_can_need_is_forgotten(memory: Revocations) -> None:
    memory.apply([session_ended(at=100.0), user_raised(1, at=100.0)])
    assert memory.prune(now=100.1 + LIFETIME_S) == 2
    assert len(memory) == 0


def test_a_notice_travels_as_plain_data() -> None:
    notice = session_ended(at=5.5)
    assert msgspec.convert(msgspec.to_builtins(notice), Notice) == notice


notices = st.lists(
    st.one_of(
        st.builds(session_ended, st.sampled_from([PHONE, LAPTOP]), st.floats(0, 100)),
        st.builds(user_raised, st.integers(1, 5), st.floats(0, 100)),
    ),
    max_size=20,
)


@given(notices, st.randoms())
def test_the_order_in_which_notices_arrive_does_not_matter(seen, random) -> None:
    straight, shuffled = Revocations(LIFETIME_S), Revocations(LIFETIME_S)
    straight.apply(seen)
    mixed = list(seen)
    random.shuffle(mixed)
    shuffled.apply([*mixed, *mixed])
    for session_id in (PHONE, LAPTOP):
        for version in range(7):
            who = ada(session_id, version)
            assert (straight.revoked(who) is None) == (shuffled.revoked(who) is None)
