"""Who belongs to a topic, here or not: rooms tell it, so that those who are away can be shown as last seen."""

from collections.abc import Callable, Collection, Iterable

from commsite.realtime.errors import PushError
from commsite.realtime.registry import visibility_of
from commsite.realtime.topic import Topic

MOST_ASKED = 100

PeopleOf = Callable[[str], Collection[int]]
"""Topic id -> the ids of its people. Runs in a database thread."""

_people: dict[str, PeopleOf] = {}


def of(kind: str, people: PeopleOf) -> None:
    """Says who belongs to topics of this kind; without it everybody of the site does."""
    _people[kind] = people


def see(user_id: int, topic: str) -> Topic:
    """The topic, for a user who may see who is there. Raises PushError("not_found"). Sync."""
    parsed = Topic.parse(topic)
    may_see = visibility_of(parsed.kind)
    if may_see is None:
        raise PushError("not_found", "There is no such topic.")
    may_see(user_id, parsed.id)
    return parsed


def seen_by(user_id: int, topics: Iterable[str]) -> list[str]:
    """Those of these topics that the user may see. Sync."""
    allowed = []
    for topic in topics:
        try:
            see(user_id, topic)
        except PushError:
            continue
        allowed.append(topic)
    return allowed


def people_of(topic: Topic, asked: Collection[int] | None) -> list[int]:
    """Whose last time here may be asked for: the people of the topic, or those of them who are asked for.

    Of a topic without people of its own only those who are asked for. At most a hundred. Sync.
    """
    people = _people.get(topic.kind)
    if people is None:
        return sorted(asked or ())[:MOST_ASKED]
    members = set(people(topic.id))
    return sorted(members if asked is None else members & set(asked))[:MOST_ASKED]
