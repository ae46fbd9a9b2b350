"""Server-sent events from bytes, however they were cut on their way (WHATWG HTML §9.2). Pure.

Only what a model's server says matters here: the data of each event. Names, ids and retry times are left out.
"""

BOM = b"\xef\xbb\xbf"


class TooLong(Exception):
    """One event is longer than it may be."""


class EventStream:
    """Gives the data of each event as soon as its blank line is there.

    A line ends with LF, CR or CRLF. Bytes are cut into lines before they are decoded (by the JSON decoder), so
    that a character that came in two blocks is whole again.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._parts: list[bytes] = []  # of a line that has no end yet
        self._part_bytes = 0
        self._data: list[bytes] = []  # of an event that has no blank line yet
        self._data_bytes = 0
        self._is_new = True

    def feed(self, block: bytes) -> list[bytes]:
        """The data of the events that this block completes. Raises TooLong."""
        if self._is_new and block:
            self._is_new = False
            block = block.removeprefix(BOM)
        if b"\n" not in block and b"\r" not in block:
            self._keep(block)
            return []
        if self._parts:
            block = b"".join([*self._parts, block])
            self._parts = []
            self._part_bytes = 0
        lines = block.splitlines(keepends=True)
        if not lines[-1].endswith(b"\n"):  # also after CR: its LF may still come
            self._keep(lines.pop())
        return self._events(lines)

    def finish(self) -> list[bytes]:
        """The data of a last event whose blank line never came."""
        lines = b"".join(self._parts).splitlines()
        self._parts = []
        return self._events([*lines, b""])

    def _keep(self, part: bytes) -> None:
        self._parts.append(part)
        self._part_bytes += len(part)
        self._check_size()

    def _check_size(self) -> None:
        if self._part_bytes + self._data_bytes > self._most_bytes:
            raise TooLong(f"one event is longer than {self._most_bytes} bytes")

    def _events(self, lines: list[bytes]) -> list[bytes]:
        events: list[bytes] = []
        for line in lines:
            if line.startswith(b"data:"):
                self._data.append(line[5:].strip())
                self._data_bytes += len(line)
                self._check_size()
            elif self._data and not line.strip(b"\r\n"):
                events.append(b"\n".join(self._data))
                self._data = []
                self._data_bytes = 0
        return events
