"""A conversation of two people, and an ear at the door through which it announces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from django.core.cache import cache
from django.db import transaction

from commsite.realtime.consumer import SocketConsumer
from commsite.realtime.hub import hub
from conversation import actions, facts, rates, receipts
from conversation.consumers import ConversationConsumer
from conversation.mark_writer import writer
from conversation.marks import Mark, Place
from conversation.models import Conversation, Member
from conversation.rates import Rates
from conversation.receipts import Work
from conversation.schema import CreateConversation, SendMessage
from conversation.typing_notices import notices
from tests.conversation.attending import Time
from tests.support import in_process
from tests.support.convergence import Told, apply, replayed, snapshot
from tests.support.phoenix_client import PRESENCE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from uuid import UUID

    from django.contrib.auth.models import User
    from pytest_django.fixtures import Settings

    from conversation.message_shape import MessageShape
    from tests.support.phoenix_client import PhoenixClient

    Enter = Callable[..., Awaitable[PhoenixClient]]
    Attend = Callable[[User], Awaitable[PhoenixClient]]
    Say = Callable[[User, str], MessageShape]


@pytest.fixture
def room(ada: User, grace: User) -> Conversation:
    """Ada's conversation with Grace; Linus is a stranger to it."""
    created = actions.create_conversation(
        ada.pk, CreateConversation(title="Compilers", members=["grace"])
    )
    return Conversation.objects.get(pk=created["id"])


@pytest.fixture
def say(room: Conversation) -> Say:
    """`say(ada, "hello")`: the message, sent once."""

    def say(author: User, body: str) -> MessageShape:
        command = SendMessage(body=body, client_id=f"{author.username}: {body}")
        return actions.send_message(room.id, author.pk, command).message

    return say


@pytest.fixture(autouse=True)
def fresh_rates() -> None:
    """Ids of people come again from test to test; what they have spent does not."""
    rates.rates.cache_clear()


@pytest.fixture
def a_clock_that_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is spent of a rate does not come back by itself."""
    people = rates.Rates(lambda: 0.0)
    monkeypatch.setattr(rates, "rates", lambda: people)


class Ear:
    """Hears every announcement and every control message once it is committed."""

    def __init__(self) -> None:
        self.told: list[Told] = []
        self.controls: list[tuple[str, dict[str, Any]]] = []

    def announce_on_commit(
        self,
        topic: str,
        event: str,
        payload: dict[str, Any],
        *,
        seq: int | None = None,
        key: str | None = None,
    ) -> None:
        transaction.on_commit(lambda: self.told.append(Told(topic, event, payload, seq)))

    def control_on_commit(self, kind: str, payload: dict[str, Any]) -> None:
        transaction.on_commit(lambda: self.controls.append((kind, payload)))

    def on(self, conversation_id: UUID) -> list[Told]:
        """What was told on the conversation's topic."""
        return [told for told in self.told if told.topic == f"conversation:{conversation_id}"]

    def by_user(self, user: User) -> list[Told]:
        """What was told to all devices of one user."""
        return [told for told in self.told if told.topic == f"user:{user.pk}"]


@pytest.fixture
def ear(monkeypatch: pytest.MonkeyPatch) -> Ear:
    ear = Ear()
    monkeypatch.setattr(facts, "announce_on_commit", ear.announce_on_commit)
    monkeypatch.setattr(facts, "control_on_commit", ear.control_on_commit)
    return ear


@pytest.fixture
def converges(room: Conversation, ada: User, ear: Ear) -> Callable[..., None]:
    """Runs actions between two snapshots of one observer, compares, then replays the facts."""

    def converges(*steps: Callable[[], object], observer: User = ada) -> None:
        before = snapshot(room.id, observer.pk)
        already = len(ear.on(room.id))
        for step in steps:
            step()
        told = ear.on(room.id)[already:]
        after = snapshot(room.id, observer.pk)

        assert told, "nothing was announced"
        assert apply(told, before) == after
        retold = replayed(room.id, before["seq"], after["seq"])
        assert [(fact.seq, fact.event) for fact in retold] == [
            (fact.seq, fact.event) for fact in told
        ]
        assert apply(retold, before) == after

    return converges


@pytest.fixture
def fresh_throttles() -> None:
    """Throttles count in the cache, which outlives a test."""
    cache.clear()


# --- What was read --------------------------------------------------------------------------------
@pytest.fixture
def heard(ear: Ear, monkeypatch: pytest.MonkeyPatch) -> Ear:
    """The ear, at this door too."""
    monkeypatch.setattr(receipts, "announce_on_commit", ear.announce_on_commit)
    return ear


@pytest.fixture
def write(room: Conversation) -> Callable[..., None]:
    """`write({ada: Mark(read=3)}, news_from=2)`: as a process does that has gathered these."""

    def write(
        marks: dict[User, Mark] | None = None,
        news_from: int | None = None,
        thread_id: UUID | None = None,
        is_online: receipts.IsOnline = lambda user_id: True,
    ) -> None:
        places = {Place(user.pk, thread_id): mark for user, mark in (marks or {}).items()}
        receipts.write({room.id: Work(places, news_from)}, is_online)

    return write


@pytest.fixture
def people(ada: User, grace: User, linus: User) -> tuple[User, User, User]:
    """All three."""
    return ada, grace, linus


@pytest.fixture
def crowd(room: Conversation, linus: User, settings: Settings) -> Conversation:
    """Ada, Grace and Linus, who are too many to be told names."""
    settings.REALTIME = {**settings.REALTIME, "RECEIPTS_MEMBERS": 2}
    Member.objects.create(conversation=room, user=linus)
    return room


# --- Over the socket -----------------------------------------------------------------------------
@pytest_asyncio.fixture
async def connect() -> AsyncIterator[Callable[[User], Awaitable[PhoenixClient]]]:
    """`await connect(ada)`: a socket of hers that ends with the test."""
    async with in_process.connections() as connect_to:

        async def connect(user: User) -> PhoenixClient:
            client = await connect_to(ConversationConsumer.as_asgi(), user)
            client.deaf_to = PRESENCE | {"receipts_changed", "typing_changed"}
            return client

        yield connect


@pytest.fixture
def topic(room: Conversation) -> str:
    return room.topic


@pytest.fixture
def enter(connect: Any, topic: str) -> Enter:
    """`await enter(ada)`: a socket of hers that has joined the conversation."""

    async def enter(user: User, **payload: Any) -> PhoenixClient:
        client: PhoenixClient = await connect(user)
        await client.join(topic, payload)
        return client

    return enter


# --- What is told at a pace ------------------------------------------------------------------------
@pytest_asyncio.fixture
async def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    """Starts the hub, on a clock of the test's own."""
    moved = Time()
    people = Rates(moved.read)
    monkeypatch.setattr(rates, "rates", lambda: people)
    await hub.start()
    for pacer in (notices._rooms, notices._others, writer._pacer):
        assert pacer is not None
        pacer.clock = moved.read
    return moved


@pytest_asyncio.fixture
async def attend(
    time: Time, room: Conversation
) -> AsyncIterator[Callable[[User], Awaitable[PhoenixClient]]]:
    """`await attend(ada)`: a socket of hers in the conversation and on her own topic."""
    async with in_process.connections() as connect_to:

        async def attend(user: User) -> PhoenixClient:
            client = await connect_to(SocketConsumer.as_asgi(), user)
            client.deaf_to = PRESENCE | {"message_sent"}
            await client.join(room.topic)
            await client.join(f"user:{user.pk}")
            return client

        yield attend
