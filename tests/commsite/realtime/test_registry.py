"""What apps may tell the core, and only once."""

from __future__ import annotations

import pytest

from commsite.realtime import registry
from commsite.realtime.channel import Channel
from commsite.realtime.errors import REASONS, CloseCode, PushError
from commsite.realtime.registry import Delivery
from tests.commsite.realtime.rooms import RoomChannel


def test_a_kind_is_served_by_one_channel() -> None:
    registry.route("room", RoomChannel)
    with pytest.raises(ValueError, match="RoomChannel already"):
        registry.route("room", Channel)


def test_an_event_is_declared_once() -> None:
    registry.declare("told", Delivery.MUST)
    with pytest.raises(ValueError, match="MUST already"):
        registry.declare("told", Delivery.STATE)


def test_an_event_that_nobody_declared_is_a_programmers_mistake() -> None:
    with pytest.raises(LookupError, match="never declared"):
        registry.delivery_of("unheard of")


def test_a_reason_that_is_not_in_the_table_is_a_programmers_mistake() -> None:
    with pytest.raises(LookupError, match="add a row"):
        PushError("because")


def test_every_reason_has_a_sentence_and_an_http_error() -> None:
    for reason in REASONS.values():
        assert reason.message.endswith(".")
        assert 400 <= reason.http_status < 600


def test_close_codes_say_by_their_range_whether_to_come_back() -> None:
    assert [code.value for code in CloseCode if not code.may_resume] == [
        4400, 4401, 4403, 4405, 4410, 4429,
    ]  # fmt: skip
    assert 1000 not in list(CloseCode)
