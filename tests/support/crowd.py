"""Hundreds of people's clients in one process, each with its own view of who is present.

A visitor joins one topic, keeps what phoenix.js's Presence keeps (keys and refs, not the metas), notes everybody whom
it sees leave, and comes back at the next site when its connection ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from tests.support.server import manage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from tests.support.server import Site

MAKE_PEOPLE = """
from django.contrib.auth.models import User
from commsite.clients.models import ClientSession
from commsite.clients.tokens import issue
for number in range({count}):
    user = User.objects.create(username="visitor%d" % number)
    session = ClientSession.objects.create(user=user, name="test", kind=ClientSession.Kind.TOKEN)
    print("VISITOR", user.pk, issue(session, version=0).access)
"""
View = dict[str, tuple[str, ...]]
"""The refs of everybody's connections by key."""
AT_ONCE = 32
PATIENCE_S = 10.0
PAUSE_S = 0.1
BEAT_S = 25.0
QUIET = logging.getLogger("crowd")
QUIET.setLevel(logging.WARNING)


class Meta(msgspec.Struct):
    """What is kept of a meta."""

    phx_ref: str


class Metas(msgspec.Struct):
    """The connections of one person."""

    metas: tuple[Meta, ...]


class Diff(msgspec.Struct):
    """`presence_diff`."""

    joins: dict[str, Metas]
    leaves: dict[str, Metas]


class Message(NamedTuple):
    """One envelope, its payload unread."""

    join_ref: str | None
    ref: str | None
    topic: str
    event: str
    payload: msgspec.Raw


_message = msgspec.json.Decoder(Message).decode
_state = msgspec.json.Decoder(dict[str, Metas]).decode
_diff = msgspec.json.Decoder(Diff).decode


def refs_of(people: dict[str, Metas]) -> View:
    """The view that these metas make."""
    return {key: tuple(meta.phx_ref for meta in each.metas) for key, each in people.items()}


@lru_cache(maxsize=256)
def read_diff(payload: bytes) -> tuple[View, View]:
    """Joins and leaves. A site's clients all get the same bytes: they are read once."""
    diff = _diff(payload)
    return refs_of(diff.joins), refs_of(diff.leaves)


class Gone(NamedTuple):
    """Somebody of whom a client saw the last connection leave: at which site it looked, and when."""

    site: int
    key: str
    at: float


class Absence(NamedTuple):
    """A time without a connection that was not wanted."""

    start: float
    end: float


@dataclass(eq=False)
class Visitor:
    """One person's client. `site` is where it is, `home` where it goes first."""

    crowd: Crowd
    key: str
    token: str
    home: int
    site: int = 0
    view: View | None = None
    wants_in: bool = False
    link: Link | None = None
    absences: list[Absence] = field(default_factory=list)
    lost_at: float | None = None
    _joining: Link | None = None
    _early: list[bytes] | None = field(default_factory=list)
    """Diffs that wait for the state of this join."""

    async def come(self) -> None:
        """Connects and joins at home, or at the next site that lets it in."""
        self.wants_in = True
        while self.wants_in:
            for place in range(len(self.crowd.sites)):
                site = (self.home + place) % len(self.crowd.sites)
                if site not in self.crowd.avoided and await self._try(site):
                    self.home = site
                    return
            await asyncio.sleep(PAUSE_S)

    async def go(self, *, is_polite: bool) -> None:
        """Leaves for good: in good order, or without a word (seen once the grace is over)."""
        self.wants_in = False
        link, self.link = self.link, None
        if link is not None:
            if is_polite:
                await link.call("phx_leave", {})
            link.end()
        self.view = self._joining = None

    def drop(self, towards: int) -> None:
        """Loses its connection, and is to come back elsewhere."""
        self.home = towards
        if self.link is not None:
            self.link.end()

    async def _try(self, site: int) -> bool:
        url = f"{self.crowd.sites[site].socket_url}?token={self.token}&vsn=2.0.0"
        link = Link(self)
        try:
            async with asyncio.timeout(PATIENCE_S):
                await ws_connect(lambda: link, url, use_aiofastnet=False, logger_name=QUIET)
                self.site, self._early, self._joining = site, [], link
                await link.call("phx_join", {})
        except Exception:  # whatever it was: the next site
            link.end()
            return False
        if not (link.is_open and self.wants_in):
            link.end()
            return not self.wants_in
        self.link = link
        if self.lost_at is not None:
            self.absences.append(Absence(self.lost_at, asyncio.get_running_loop().time()))
            self.lost_at = None
        return True

    def on_lost(self, link: Link) -> None:
        """The connection is gone; somebody who wants in comes back."""
        if link is self.link:
            self.link = None
            if self.wants_in:
                self.lost_at = asyncio.get_running_loop().time()
                self.crowd.spawn(self.come())

    def on_event(self, link: Link, event: str, payload: bytes) -> None:
        """What Presence does: a state replaces, diffs change; those before a join's state wait for it."""
        if link is not self._joining:
            return
        if event == "presence_state":
            new = refs_of(_state(payload))
            self._note(key for key in self.view or () if key not in new)
            self.view = new
            early, self._early = self._early or [], None
            for each in early:
                self._apply(*read_diff(each))
        elif event == "presence_diff":
            if self._early is not None:
                self._early.append(payload)
            else:
                self._apply(*read_diff(payload))

    def _apply(self, joins: View, leaves: View) -> None:
        view = self.view
        assert view is not None
        for key, refs in joins.items():
            old = view.get(key)
            view[key] = (*(ref for ref in old if ref not in refs), *refs) if old else refs
        for key, refs in leaves.items():
            old = view.get(key)
            if old is None:
                continue
            if kept := tuple(ref for ref in old if ref not in refs):
                view[key] = kept
            else:
                del view[key]
                self._note((key,))

    def _note(self, keys: Any) -> None:
        now = asyncio.get_running_loop().time()
        self.crowd.gone.extend(Gone(self.site, key, now) for key in keys)


class Link(WSListener):
    """One connection of a visitor."""

    def __init__(self, visitor: Visitor) -> None:
        self._visitor = visitor
        self._transport: WSTransport | None = None
        self._replies: dict[str, asyncio.Future[bytes]] = {}
        self._ref = 0

    @property
    def is_open(self) -> bool:
        """Whether it still stands."""
        return self._transport is not None

    async def call(self, event: str, payload: Any) -> bytes:
        """Pushes on the topic and waits for an ok."""
        self._ref += 1
        ref = str(self._ref)
        answer = self._replies[ref] = asyncio.get_running_loop().create_future()
        self._send("1", ref, self._visitor.crowd.topic, event, payload)
        async with asyncio.timeout(PATIENCE_S):
            response = await answer
        if b'"status":"ok"' not in response:
            raise ConnectionError(response)
        return response

    def beat(self) -> None:
        """Says that it lives."""
        self._send(None, "beat", "phoenix", "heartbeat", {})

    def end(self) -> None:
        """Cuts the connection without a word."""
        if self._transport is not None:
            self._transport.disconnect(graceful=False)

    def _send(self, *envelope: Any) -> None:
        if self._transport is None:
            raise ConnectionError("not connected")
        self._transport.send(WSMsgType.TEXT, json.dumps(envelope).encode())

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self._transport = None
        for answer in self._replies.values():
            if not answer.done():
                answer.set_exception(ConnectionError("the connection is gone"))
                answer.exception()
        self._visitor.on_lost(self)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type is WSMsgType.CLOSE:
            transport.disconnect(graceful=False)
            return
        message = _message(frame.get_payload_as_bytes())
        if message.event == "phx_reply":
            answer = self._replies.pop(str(message.ref), None)
            if answer is not None and not answer.done():
                answer.set_result(bytes(message.payload))
        elif message.topic == self._visitor.crowd.topic:
            self._visitor.on_event(self, message.event, bytes(message.payload))


class Crowd:
    """Everybody, and what they saw. Use as an async context manager: at its end nobody is left."""

    def __init__(
        self, sites: Sequence[Site], topic: str, people: Sequence[tuple[str, str]]
    ) -> None:
        self.sites = sites
        self.topic = topic
        self.gone: list[Gone] = []
        self.avoided: set[int] = set()
        """Sites to which nobody goes now."""
        self.visitors = [
            Visitor(self, key, token, number % len(sites))
            for number, (key, token) in enumerate(people)
        ]
        self._tasks: set[asyncio.Task[None]] = set()

    def present(self) -> list[Visitor]:
        """Those who want to be here."""
        return [visitor for visitor in self.visitors if visitor.wants_in]

    def at(self, site: int) -> list[Visitor]:
        """Those who are connected there, or about to be."""
        return [visitor for visitor in self.present() if visitor.site == site]

    async def each(
        self, visitors: Sequence[Visitor], verb: Callable[[Visitor], Awaitable[None]]
    ) -> None:
        """Does something to all of them, a few at a time."""
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(visitor: Visitor) -> None:
            async with gate:
                await verb(visitor)

        await asyncio.gather(*map(one, visitors))

    def spawn(self, work: Any) -> None:
        """Runs it in a task that ends with the crowd."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _beat_forever(self) -> None:
        while True:
            await asyncio.sleep(BEAT_S)
            for visitor in self.visitors:
                if visitor.link is not None:
                    with contextlib.suppress(ConnectionError):
                        visitor.link.beat()

    async def __aenter__(self) -> Crowd:
        self.spawn(self._beat_forever())
        return self

    async def __aexit__(self, *_: object) -> None:
        for visitor in self.visitors:
            await visitor.go(is_polite=False)
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def make_people(site: Site, count: int) -> list[tuple[str, str]]:
    """(user id, access token) of so many new people, in the database of this site."""
    printed = manage(
        "shell",
        "-c",
        MAKE_PEOPLE.format(count=count),
        DATABASE_URL=site.database_url,
        COMMSITE_ACCESS_LIFETIME_S="7200",
    )
    rows = [line.split() for line in printed.splitlines() if line.startswith("VISITOR")]
    assert len(rows) == count
    return [(user, access) for _, user, access in rows]
