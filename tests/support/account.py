"""Somebody logged in to a site, over REST: opens conversations, says something."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx

from tests.support.deadline import PATIENCE_S

if TYPE_CHECKING:
    from tests.support.people import Person
    from tests.support.server import Site


@dataclass
class Account:
    """A person with a fresh access token at one address of the site."""

    url: str
    access: str
    refresh: str

    @classmethod
    async def log_in(cls, person: Person, site: Site) -> Account:
        """Trades the password for tokens: a new client session each time."""
        tokens = await person.log_in(site)
        return cls(site.url, tokens.access, tokens.refresh)

    async def call(self, method: str, path: str, **body: Any) -> Any:
        """Makes one REST call; returns the decoded answer and fails on any error status."""
        async with httpx.AsyncClient(
            base_url=self.url,
            verify=False,  # noqa: S501 - our own server
            headers={"Authorization": f"Bearer {self.access}"},
            timeout=PATIENCE_S,
            trust_env=False,
        ) as http:
            answer = await http.request(method, f"/api/v1/{path}", json=body or None)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    async def open_conversation(self, *members: str, title: str = "Proof") -> str:
        """Creates a conversation; returns its topic."""
        made = await self.call("POST", "conversations/", title=title, members=list(members))
        return f"conversation:{made['id']}"

    async def say(self, topic: str, *bodies: str) -> list[dict[str, Any]]:
        """Sends messages over REST, one after another; returns them as stored."""
        path = f"conversations/{topic.partition(':')[2]}/messages/"
        sent = [
            await self.call("POST", path, body=body, client_id=uuid.uuid4().hex) for body in bodies
        ]
        return [answer["message"] for answer in sent]
