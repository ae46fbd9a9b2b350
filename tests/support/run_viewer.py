"""What a client makes of runs, as docs/protocol.md says it should; and a member who watches them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.support.phoenix_client import PhoenixClient

SNAPSHOTS = frozenset({"RUN_STARTED", "MESSAGES_SNAPSHOT"})
RUN_EVENTS = frozenset({"run_event", "message_completed"})


def units(text: str) -> int:
    """The length as JavaScript counts."""
    return len(text.encode("utf-16-le")) // 2


class Viewer:
    """One reader's screen. `gaps` are runs of which events were missed: a client would fetch them."""

    def __init__(self, reply: Mapping[str, Any]) -> None:
        self.seqs: dict[str, int] = {}
        self.texts: dict[str, str] = {}
        self.parts: dict[str, list[dict[str, Any]]] = {}
        self.seen: dict[str, set[str]] = {}
        self.final: dict[str, dict[str, Any]] = {}
        self.gaps: set[str] = set()
        self.repeats = 0
        self.snapshots = 0
        for run in reply["runs"]:
            self.load(run)

    def load(self, run: Mapping[str, Any]) -> None:
        """A run with its text, from a join, a snapshot, or `fetch_run`."""
        key = run["id"]
        if run["seq"] < self.seqs.get(key, -1):
            return
        assert run["offset"] == units(run["text"]), run
        self.seqs[key] = run["seq"]
        self.parts[key] = run["parts"]
        self.gaps.discard(key)
        self._show(key, run["text"])

    def see(self, event: str, payload: Mapping[str, Any]) -> None:
        """Takes one event of the topic."""
        if event == "message_completed":
            run = payload["message"]["run"]
            assert run["id"] not in self.final, "a run has ended twice"
            self.final[run["id"]] = payload["message"]
        elif event == "run_event":
            self._see_run(payload)

    def _see_run(self, event: Mapping[str, Any]) -> None:
        key, seq = event["run_id"], event["seq"]
        if event["type"] in SNAPSHOTS:
            self.snapshots += event["type"] == "MESSAGES_SNAPSHOT"
            self.load(event["run"])
            return
        known = self.seqs.get(key, -1)
        if seq <= known:
            self.repeats += 1
            return
        if seq > known + 1 or key in self.gaps:
            self.gaps.add(key)
            return
        self.seqs[key] = seq
        if event["type"] == "TEXT_MESSAGE_CONTENT":
            assert event["offset"] == units(self.texts[key]), (event, self.texts[key])
            self._show(key, self.texts[key] + event["delta"])

    def _show(self, key: str, text: str) -> None:
        self.texts[key] = text
        self.seen.setdefault(key, set()).add(text)

    def outcome(self, run_id: str) -> tuple[str, str] | None:
        """(status, body) once the run has ended."""
        message = self.final.get(run_id)
        return None if message is None else (message["run"]["status"], message["body"])

    def assert_lost_nothing(self, run_id: str) -> None:
        """Everything that was on this screen is in the final text."""
        _, body = self.outcome(run_id) or ("", "")
        for text in self.seen.get(run_id, ()):
            assert body.startswith(text), (body, text)


class Watcher:
    """A client in a conversation, and its screen."""

    def __init__(self, client: PhoenixClient, topic: str, reply: Mapping[str, Any]) -> None:
        self.client = client
        self.topic = topic
        self.reply = reply
        self.viewer = Viewer(reply)

    @classmethod
    async def enter(cls, client: PhoenixClient, topic: str, **payload: Any) -> Watcher:
        """Joins."""
        return cls(client, topic, await client.join(topic, payload))

    def take(self, event: str, payload: dict[str, Any]) -> None:
        """One event that has come."""
        self.viewer.see(event, payload)

    async def call(self, event: str, **payload: Any) -> Any:
        """A command and its answer."""
        return await self.client.call(self.topic, event, payload)

    async def until(self, event: str, **fields: Any) -> dict[str, Any]:
        """The first such event from here on; the screen has taken everything up to it."""
        while True:
            message = await self.client.next()
            self.take(message.event, message.payload)
            found: dict[str, Any] = message.payload
            if message.event == event and all(found[key] == fields[key] for key in fields):
                return found

    async def until_shown(self, run_id: str, text: str) -> None:
        """Watches until the run's text is exactly that."""
        while self.viewer.texts.get(run_id) != text:
            message = await self.client.next()
            self.take(message.event, message.payload)

    async def completed(self, run_id: str) -> dict[str, Any]:
        """The message once its run has ended."""
        while run_id not in self.viewer.final:
            message = await self.client.next()
            self.take(message.event, message.payload)
        return self.viewer.final[run_id]
