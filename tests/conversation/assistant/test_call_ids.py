"""The ids of tool calls: the model's where they can be kept, else ours."""

from __future__ import annotations

import pytest

from conversation.assistant.completion import Asked
from conversation.assistant.loop import ToolLoop
from conversation.assistant.patience import Deadline, Patience
from tests.support.assistant import job


@pytest.mark.parametrize("odd", ["a" * 201, "a/b", "\u00e9", "a b"])
def test_ids_that_cannot_be_kept_or_named_are_replaced(odd: str) -> None:
    loop = ToolLoop(job(), Patience(), Deadline(600))

    assert loop.call(Asked(id=odd, name="look")).id == "call00001"


def test_an_id_of_ours_is_never_one_that_the_model_has_used() -> None:
    loop = ToolLoop(job(), Patience(), Deadline(600))
    loop.call(Asked(id="call00002", name="look"))

    assert loop.call(Asked(id="", name="look")).id == "call00003"
