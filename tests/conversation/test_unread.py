"""What is unread: the database's count is the one that a person would make by going through the messages."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from conversation import unread as counting
from conversation.models import Conversation, Member, Mention, Message, ReadMark
from conversation.unread import MOST, Reader, unread

if TYPE_CHECKING:
    from pytest_django import DjangoAssertNumQueries

pytestmark = pytest.mark.django_db


class Room:
    """A conversation written straight into the tables, so that the test chooses every seq."""

    def __init__(self, *people: User) -> None:
        self.conversation = Conversation.objects.create(title="Reading")
        self.members = [
            Member.objects.create(conversation=self.conversation, user=person) for person in people
        ]
        self.seq = 0

    def say(
        self,
        author: User | None,
        *named: User,
        thread: Message | None = None,
        is_deleted: bool = False,
        beside: Message | None = None,
        answers: Message | None = None,
    ) -> Message:
        self.seq += 1
        message = Message.objects.create(
            conversation=self.conversation,
            seq=self.seq,
            role="assistant" if author is None else "user",
            author=author,
            client_id=str(self.seq),
            body="…",
            thread=thread,
            deleted_at=timezone.now() if is_deleted else None,
            branch_of=beside,
            parent=answers,
        )
        Mention.objects.bulk_create(Mention(message=message, user=person) for person in named)
        return message

    def select(self, first: Message, chosen: Message) -> None:
        first.branch_of, first.selected_branch = first, chosen
        first.save()

    def read(
        self,
        person: User,
        seq: int,
        thread: Message | None = None,
        followed_from: int | None = None,
    ) -> None:
        ReadMark.objects.create(
            conversation=self.conversation,
            user=person,
            thread=thread,
            read_seq=seq,
            followed_from=followed_from,
        )

    def of(self, person: User) -> tuple[int, int]:
        found = unread([person.pk], [self.conversation.id])
        its = found[Reader(self.conversation.id, person.pk)]
        return its["unread"], its["mentions"]


def test_what_others_said_after_ones_mark_is_unread(ada: User, grace: User) -> None:
    room = Room(ada, grace)
    room.say(grace)
    room.say(grace)
    room.say(ada)
    room.say(grace, ada)
    room.say(None)
    room.say(grace, is_deleted=True)
    room.read(ada, 1)

    assert room.of(ada) == (3, 1)
    assert room.of(grace) == (2, 0)


def test_of_alternatives_only_what_is_shown_is_unread(ada: User, grace: User) -> None:
    room = Room(ada, grace)
    first = room.say(grace, ada)
    room.say(None, answers=first)
    second = room.say(grace, ada, beside=first)
    answer = room.say(None, answers=second)
    other = room.say(None, answers=second, beside=answer)
    room.select(first, second)
    room.select(answer, answer)

    assert room.of(ada) == (2, 1)
    room.select(first, first)
    assert room.of(ada) == (2, 1)
    room.select(first, second)
    room.select(answer, other)
    room.read(ada, answer.seq)
    assert room.of(ada) == (1, 0)


def test_of_alternatives_in_a_thread_only_what_is_shown_is_unread(ada: User, grace: User) -> None:
    room = Room(ada, grace)
    root = room.say(ada)
    first = room.say(grace, ada, thread=root)
    room.say(grace, ada, thread=root, beside=first)
    room.select(first, first)
    room.read(ada, 0, thread=root, followed_from=0)

    assert room.of(ada) == (1, 1)


def test_whoever_came_later_has_not_missed_what_was_said_before(ada: User, grace: User) -> None:
    room = Room(ada)
    room.say(ada)
    Member.objects.create(conversation=room.conversation, user=grace, joined_seq=1)
    room.say(ada)

    assert room.of(grace) == (1, 0)


def test_a_thread_counts_for_those_who_follow_it(ada: User, grace: User, linus: User) -> None:
    room = Room(ada, grace, linus)
    root = room.say(ada)
    room.say(grace, thread=root)
    room.say(grace, ada, thread=root)
    room.read(ada, root.seq)
    room.read(ada, 0, thread=root, followed_from=root.seq)
    room.read(linus, root.seq)
    room.read(linus, 0, thread=root)

    assert room.of(ada) == (2, 1)
    assert room.of(linus) == (0, 0)
    (found,) = unread([ada.pk]).values()
    assert found["threads"] == [
        {"thread_id": str(root.id), "unread": 2, "mentions": 1, "read_seq": 0}
    ]


def test_reading_a_thread_is_not_reading_the_conversation(ada: User, grace: User) -> None:
    room = Room(ada, grace)
    root = room.say(grace)
    reply = room.say(grace, thread=root)
    room.read(ada, reply.seq, thread=root, followed_from=1)

    assert room.of(ada) == (1, 0)


def test_counting_stops_where_people_stop_reading_numbers(ada: User, grace: User) -> None:
    room = Room(ada, grace)
    for _ in range(MOST + 5):
        room.say(grace, ada)

    assert room.of(ada) == (MOST, MOST)


def test_what_is_very_far_back_is_not_counted_any_more(
    ada: User, grace: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "FAR_BACK", 4)
    room = Room(ada, grace)
    for _ in range(3):
        room.say(grace, ada)
    for _ in range(3):
        room.say(ada)
    Conversation.objects.filter(pk=room.conversation.pk).update(last_seq=6)

    assert room.of(ada) == (1, 1)


def test_strangers_have_nothing_unread(ada: User, linus: User) -> None:
    room = Room(ada)

    assert unread([linus.pk], [room.conversation.id]) == {}


def test_the_number_of_queries_depends_on_nothing(
    ada: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    people = [User.objects.create_user(f"person {n}") for n in range(20)]
    rooms = [Room(ada, *people) for _ in range(3)]
    for room in rooms:
        root = room.say(people[0], ada)
        room.say(people[1], thread=root)
        room.read(ada, 0, thread=root, followed_from=0)

    with django_assert_num_queries(2):
        mine = unread([ada.pk])
    with django_assert_num_queries(2):
        theirs = unread([person.pk for person in people], [rooms[0].conversation.id])

    assert (len(mine), len(theirs)) == (3, 20)


@pytest.mark.parametrize("seed", range(12))
def test_the_count_is_the_one_made_by_hand(seed: int, ada: User, grace: User, linus: User) -> None:
    chance = random.Random(seed)
    people = [ada, grace, linus]
    room = Room(*people)
    said: list[Message] = []
    for _ in range(40):
        roots = [message for message in said if message.thread_id is None]
        said.append(
            room.say(
                chance.choice([*people, None]),
                *chance.sample(people, chance.randint(0, 2)),
                thread=chance.choice([None, None, *roots[:3]]),
                is_deleted=chance.random() < 0.2,
            )
        )
    roots = [message for message in said if message.thread_id is None][:3]
    for member in room.members:
        member.joined_seq = chance.choice([0, 0, 15])
        member.save()
        room.read(member.user, chance.randint(0, 40))
        for root in chance.sample(roots, 2):
            followed_from = chance.choice([None, root.seq, 20])
            room.read(member.user, chance.randint(0, 40), root, followed_from)

    for member in room.members:
        assert room.of(member.user) == by_hand(member, said)


def by_hand(member: Member, said: list[Message]) -> tuple[int, int]:
    marks = {
        mark.thread_id: mark
        for mark in ReadMark.objects.filter(user=member.user, conversation=member.conversation)
    }
    missed = []
    for message in said:
        mark = marks.get(message.thread_id)
        if message.deleted_at is not None or message.author_id == member.user_id:
            continue
        if message.thread_id is None:
            floor = max(member.joined_seq, mark.read_seq if mark else 0)
        elif mark is None or mark.followed_from is None:
            continue
        else:
            floor = max(mark.read_seq, mark.followed_from)
        if message.seq > floor:
            missed.append(message)
    named = Mention.objects.filter(message__in=missed, user=member.user).count()
    return len(missed), named
