"""What entries of people are called, and where those are tracked who are not to be seen. Pure."""

import hashlib

Name = tuple[str, str, str]
"""Topic, key and id of an entry of this process."""
Place = tuple[str, str, str]
"""Topic, key and device."""

HIDDEN = "hidden:"
"""Before a topic's name: where those are tracked who appear offline on it. No client can join such a topic."""


def hidden(topic: str) -> str:
    """Where the entries of those are who are on the topic and appear offline."""
    return HIDDEN + topic


def public(topic: str) -> str:
    """The topic itself, whether its people are seen on it or not."""
    return topic.removeprefix(HIDDEN)


def device_of(id: str) -> str:  # noqa: A002  the entry's word
    """The device in the id of a person's entry, `<device>/<connection>`."""
    return id.partition("/")[0]


def connection_of(id: str) -> str:  # noqa: A002
    """And the connection."""
    return id.partition("/")[2]


def place_of(name: Name) -> Place:
    """The device's place on the topic, seen or not."""
    topic, key, id = name  # noqa: A001
    return public(topic), key, device_of(id)


def short(name: str) -> str:
    """A short name for something long or secret: always the same, and no way back."""
    return hashlib.blake2s(name.encode(), digest_size=6).hexdigest()
