"""Entries as Phoenix's Presence clients read them: `{key: {"metas": [...]}}`, JSON text. Pure.

A meta is JSON text of an object; `phx_ref` (the entry's dot) and `phx_ref_prev` (the one it replaces in the same
diff) are put in front of what it holds. Diffs are tolerant of repetition: a join of a ref that is there replaces it,
a leave of one that is not there does nothing; so a state may be taken while a diff waits.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

import msgspec

from presence.tracker.delta import Entry
from presence.tracker.diff import Diff, TopicDiff

_encode = msgspec.json.Encoder().encode
STATE = "presence_state"
DIFF = "presence_diff"
BARE_BYTES = 50
"""Of an entry without its meta, but for its key, in JSON."""


def meta_of(entry: Entry, replaces: str | None = None) -> bytes:
    """The entry's meta with its refs."""
    previous = b"" if replaces is None else b',"phx_ref_prev":' + _encode(replaces)
    rest = entry.meta[1:] if entry.meta == b"{}" else b"," + entry.meta[1:]
    return b'{"phx_ref":' + _encode(entry.ref) + previous + rest


def presences(entries: Iterable[Entry], replaces: Mapping[str, str] | None = None) -> bytes:
    """The map of these entries. `replaces` names refs that they take the place of, by their own refs."""
    keys: dict[str, list[bytes]] = {}
    for entry in entries:
        meta = meta_of(entry, None if replaces is None else replaces.get(entry.ref))
        keys.setdefault(entry.key, []).append(meta)
    pairs = (
        _encode(key) + b':{"metas":[' + b",".join(metas) + b"]}" for key, metas in keys.items()
    )
    return b"{" + b",".join(pairs) + b"}"


def diff_payload(diff: TopicDiff) -> bytes:
    """`{"joins", "leaves"}`, both always there. An update is a join that names the ref of its leave."""
    left = {(entry.key, entry.id): entry.ref for entry in diff.leaves.values()}
    replaces = {
        entry.ref: left[entry.key, entry.id]
        for entry in diff.joins.values()
        if (entry.key, entry.id) in left
    }
    joins = presences(diff.joins.values(), replaces)
    return b'{"joins":' + joins + b',"leaves":' + presences(diff.leaves.values()) + b"}"


def diff_parts(diff: TopicDiff, most_bytes: int) -> Iterator[bytes]:
    """The payloads of a diff, each of about so many bytes at most. An update stays in one piece."""
    if _cost(diff.joins.values()) + _cost(diff.leaves.values()) <= most_bytes:
        yield diff_payload(diff)
        return
    left = {(entry.key, entry.id): ref for ref, entry in diff.leaves.items()}
    leaves = dict(diff.leaves)
    part, size = TopicDiff(), 0
    for ref, entry in diff.joins.items():
        part.joins[ref] = entry
        size += entry.cost
        old = leaves.pop(left.get((entry.key, entry.id), ""), None)
        if old is not None:
            part.leaves[old.ref] = old
            size += old.cost
        if size >= most_bytes:
            yield diff_payload(part)
            part, size = TopicDiff(), 0
    for ref, entry in leaves.items():
        part.leaves[ref] = entry
        size += entry.cost
        if size >= most_bytes:
            yield diff_payload(part)
            part, size = TopicDiff(), 0
    if size:
        yield diff_payload(part)


def state_parts(
    read: Callable[[], Iterable[Entry]], read_key: Callable[[str], Iterable[Entry]], most_bytes: int
) -> Iterator[tuple[str, bytes]]:
    """(event, payload) of a whole list: one `presence_state`; of a long one a state that names all, and then joins.

    Each part is about so many bytes at most. The state names everybody, so that to a client that comes back nobody
    seems to leave: whole as long as there is room, the others by bare refs. The joins have these whole; each part of
    them is read when it is asked for, so that it may be sent as fast as it is taken. Should not even the refs have
    room, the last come with the joins alone.
    """
    entries = list(read())
    if _cost(entries) <= most_bytes:
        yield STATE, presences(entries)
        return
    named, rest = _named(entries, most_bytes)
    yield STATE, presences(named)
    for keys in _chunks(rest, most_bytes):
        part = [entry for key in keys for entry in read_key(key)]
        if part:
            yield DIFF, b'{"joins":' + presences(part) + b',"leaves":{}}'


def _named(entries: Iterable[Entry], most_bytes: int) -> tuple[list[Entry], list[Entry]]:
    """(what a state has room for, the entries that are not whole in it)."""
    entries = list(entries)
    spare = max(0, most_bytes - sum(len(entry.key) + BARE_BYTES for entry in entries))
    named, rest, size = [], [], 0
    for entry in entries:
        if len(entry.meta) <= spare:
            spare -= len(entry.meta)
            named.append(entry)
            continue
        rest.append(entry)
        size += len(entry.key) + BARE_BYTES
        if size <= most_bytes:
            named.append(_bare(entry))
    return named, rest


def _cost(entries: Iterable[Entry]) -> int:
    return sum(entry.cost for entry in entries)


def _chunks(entries: Iterable[Entry], most_bytes: int) -> Iterator[list[str]]:
    """The keys, in groups of about so many bytes."""
    costs: dict[str, int] = {}
    for entry in entries:
        costs[entry.key] = costs.get(entry.key, 0) + entry.cost
    keys: list[str] = []
    size = 0
    for key, cost in costs.items():
        if keys and size + cost > most_bytes:
            yield keys
            keys, size = [], 0
        keys.append(key)
        size += cost
    yield keys


def _bare(entry: Entry) -> Entry:
    return Entry(entry.topic, entry.key, entry.id, b"{}", entry.ref)


class Collector:
    """Changes of a short while, joined to one diff per topic. What must stay apart stays apart.

    A ref that joins and leaves within the while is told as two diffs: a client whose state was taken in between knows
    it, and must hear that it left.
    """

    def __init__(self) -> None:
        self._topics: dict[str, TopicDiff] = {}

    def add(self, diff: Diff) -> dict[str, TopicDiff]:
        """Takes changes; returns what must be told first."""
        ripe = {}
        for name, change in diff.topics.items():
            waiting = self._topics.get(name)
            if waiting is not None and _collide(waiting, change):
                ripe[name] = self._topics.pop(name)
                waiting = None
            if waiting is None:
                self._topics[name] = TopicDiff(dict(change.joins), dict(change.leaves))
            else:
                waiting.joins.update(change.joins)
                waiting.leaves.update(change.leaves)
        return ripe

    def take(self) -> dict[str, TopicDiff]:
        """Everything that waits, by topic."""
        topics, self._topics = self._topics, {}
        return topics


def _collide(waiting: TopicDiff, change: TopicDiff) -> bool:
    return not (
        waiting.joins.keys().isdisjoint(change.leaves)
        and waiting.leaves.keys().isdisjoint(change.joins)
    )
