"""What this process knows to be revoked: enough to judge a token without asking the database.

A token lives for one access lifetime, so nothing older needs to be remembered. The memory is filled
from the table at start, added to by control messages, and read again after a gap; it only ever
grows by news and shrinks by age. Pure: `now` is a parameter, in unix seconds.
"""

import uuid
from collections.abc import Iterable

import msgspec

from commsite.realtime.auth import Identity


class Notice(msgspec.Struct, frozen=True, omit_defaults=True):
    """One revocation as it travels between processes; `at` is in unix seconds.

    Either `session_id` is given, or `user_id` with the lowest `version` that is still good.
    """

    at: float
    reason: str
    session_id: str | None = None
    user_id: int | None = None
    version: int = 0


class Revocations:
    """Revoked session ids and raised user versions of the last `lifetime_s` seconds."""

    def __init__(self, lifetime_s: float) -> None:
        self.lifetime_s = lifetime_s
        self._sessions: dict[str, Notice] = {}
        self._users: dict[int, Notice] = {}

    def __len__(self) -> int:
        return len(self._sessions) + len(self._users)

    def apply(self, notices: Iterable[Notice]) -> list[Notice]:
        """Remembers the notices and returns those that were news."""
        return [notice for notice in notices if self._remember(notice)]

    def _remember(self, notice: Notice) -> bool:
        if notice.session_id is not None:
            session_id = str(uuid.UUID(notice.session_id))
            is_news = session_id not in self._sessions
            self._sessions.setdefault(session_id, notice)
            return is_news
        if notice.user_id is None:
            return False
        known = self._users.get(notice.user_id)
        if known is not None and known.version >= notice.version:
            return False
        self._users[notice.user_id] = notice
        return True

    def revoked(self, identity: Identity) -> Notice | None:
        """The notice that ended this identity, or None while it is good."""
        notice = self._sessions.get(identity.session_id)
        if notice is not None:
            return notice
        raised = self._users.get(identity.user_id)
        if raised is not None and identity.token_version < raised.version:
            return raised
        return None

    def prune(self, now: float) -> int:
        """Forgets what no living token can need any more; returns how many notices that were."""
        before = len(self)
        oldest = now - self.lifetime_s
        self._sessions = {key: seen for key, seen in self._sessions.items() if seen.at >= oldest}
        self._users = {key: seen for key, seen in self._users.items() if seen.at >= oldest}
        return before - len(self)
