"""What phoenix.js's `Presence` does with what it is told (`syncState`, `syncDiff`), in Python."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.support.phoenix_client import Message

State = dict[str, dict[str, Any]]


class PhoenixPresence:
    """One client's view of a topic. `left` holds every key that it saw go away entirely."""

    def __init__(self) -> None:
        self.state: State | None = None
        self.count: int | None = None
        self.left: list[str] = []
        self._waiting: list[dict[str, State]] = []
        self._is_synced = False

    def rejoin(self) -> None:
        """The channel has joined again: diffs wait for its state, what was known stays until then."""
        self._is_synced = False

    def take(self, messages: Iterable[Message]) -> PhoenixPresence:
        for message in messages:
            self.on(message.event, message.payload)
        return self

    def on(self, event: str, payload: dict[str, Any]) -> None:
        if event == "presence_state":
            before = self.state or {}
            self.left += [key for key in before if key not in payload]
            self.state = copy.deepcopy(payload)
            for diff in self._waiting:
                self._apply(diff)
            self._waiting = []
            self._is_synced = True
        elif event == "presence_counts":
            self.count = payload["count"]
        elif event == "presence_diff":
            assert set(payload) == {"joins", "leaves"}
            if not self._is_synced:
                self._waiting.append(payload)
            else:
                self._apply(payload)

    def _apply(self, diff: dict[str, State]) -> None:
        state = self.state
        assert state is not None
        for key, joined in copy.deepcopy(diff["joins"]).items():
            refs = {meta["phx_ref"] for meta in joined["metas"]}
            now = state.get(key, {"metas": []})["metas"]
            kept = [meta for meta in now if meta["phx_ref"] not in refs]
            state[key] = {"metas": kept + joined["metas"]}
        for key, left in diff["leaves"].items():
            if key not in state:
                continue
            refs = {meta["phx_ref"] for meta in left["metas"]}
            kept = [meta for meta in state[key]["metas"] if meta["phx_ref"] not in refs]
            state[key]["metas"] = kept
            if not kept:
                del state[key]
                self.left.append(key)


def refs(state: State | None) -> dict[str, set[str]]:
    """Who is there, through what: comparable whatever the order."""
    return {
        key: {meta["phx_ref"] for meta in person["metas"]} for key, person in (state or {}).items()
    }
