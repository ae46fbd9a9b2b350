"""Topics: `kind:id`, what one may join; and the shard of the backplane that a topic travels on."""

import zlib

import msgspec

SHARDS = 64
MAX_BYTES = 255
"""Longest topic in bytes of UTF-8: binary frames have one byte for the size."""


class Topic(msgspec.Struct, frozen=True):
    """A parsed topic. `kind` selects the channel class; `id` is the rest, empty for an exact topic such as `client`."""

    kind: str
    id: str = ""
    lonely_colon: str = ""
    """The colon of `kind:`, so that every topic is written as it was read."""

    def __str__(self) -> str:
        return f"{self.kind}:{self.id}" if self.id else self.kind + self.lonely_colon

    @classmethod
    def parse(cls, text: str) -> "Topic":
        """Splits at the first colon; every string is some topic, whether it is served is the registry's answer."""
        kind, colon, rest = text.partition(":")
        return cls(kind, rest) if rest else cls(kind, "", colon)


def is_too_long(text: str) -> bool:
    """True when no topic of ours can have this name."""
    return len(text) > MAX_BYTES or len(text.encode()) > MAX_BYTES


def shard_of(topic: str) -> int:
    """The backplane shard of a topic: stable over processes and restarts."""
    return zlib.crc32(topic.encode()) % SHARDS
