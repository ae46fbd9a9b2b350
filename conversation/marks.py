"""How far people have got: marks that only ever grow, gathered until they are written. Pure."""

from collections.abc import Mapping
from typing import NamedTuple
from uuid import UUID


class Place(NamedTuple):
    """Whose mark: one person's in the conversation itself, or in one of its threads."""

    user_id: int
    thread_id: UUID | None = None


class Mark(NamedTuple):
    """The last seq that has reached one of somebody's devices, and the last that they have read."""

    delivered: int = 0
    read: int = 0

    def joined(self, other: "Mark") -> "Mark":
        """The further one of both, in each; what was read was delivered."""
        read = max(self.read, other.read)
        return Mark(max(self.delivered, other.delivered, read), read)

    def within(self, last_seq: int) -> "Mark":
        """The same, but not beyond what there is."""
        return Mark(min(self.delivered, last_seq), min(self.read, last_seq))


NOTHING = Mark()


class Marks:
    """What is to be written, by conversation. The order in which marks are noted does not matter."""

    def __init__(self) -> None:
        self._noted: dict[UUID, dict[Place, Mark]] = {}

    def note(self, conversation_id: UUID, place: Place, mark: Mark) -> None:
        """Remembers the mark, unless a further one is remembered already."""
        noted = self._noted.setdefault(conversation_id, {})
        noted[place] = noted.get(place, NOTHING).joined(mark)

    def put_back(self, conversation_id: UUID, marks: Mapping[Place, Mark]) -> None:
        """Remembers what was taken and could not be written."""
        for place, mark in marks.items():
            self.note(conversation_id, place, mark)

    def take(self, conversation_id: UUID) -> dict[Place, Mark]:
        """What is remembered of a conversation; from here on it is somebody else's to keep."""
        return self._noted.pop(conversation_id, {})

    def __len__(self) -> int:
        return sum(map(len, self._noted.values()))
