"""Rooms in which people work together: beside being seen, they show what they look at and where they point."""

from collections.abc import Mapping
from typing import Any

from commsite.realtime.channel import handles
from presence.channel import AttendedChannel
from presence.cursor_board import board
from presence.schema import MoveCursor, PersonMeta, SetViewing


class RoomChannel(AttendedChannel):
    """The base of conversations and workspaces. An anchor is the room's own word for a place; nobody reads it here."""

    __slots__ = ()

    is_viewing = False

    def entered(self) -> None:
        """Sees the others' cursors too."""
        super().entered()
        board.welcome(self)

    async def leave(self) -> None:
        """Takes the cursor along."""
        board.leave(self)
        await super().leave()

    def meta(self) -> PersonMeta:
        """Nobody looks before they say so."""
        return {**super().meta(), "viewing": self.is_viewing}

    @handles("set_viewing", SetViewing)
    def on_set_viewing(self, command: SetViewing) -> Mapping[str, Any]:
        """Tells whether the person has this room before their eyes."""
        self.spend()
        self.is_viewing = command.viewing
        if self.seat is not None:
            self.seat.change({"viewing": command.viewing})
        return {}

    @handles("move_cursor", MoveCursor)
    def on_move_cursor(self, command: MoveCursor) -> Mapping[str, Any]:
        """Tells where the person points; of quick moves the others get the latest."""
        board.move(self, command)
        return {}
