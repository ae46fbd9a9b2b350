"""Somebody who uses the site over REST: logs in, opens conversations, says something."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

import httpx

PASSWORD = "commsite-demo"


@dataclass
class Person:
    """A user with a fresh access token at one address of the site."""

    url: str
    username: str
    access: str
    refresh: str
    verify: bool = True

    @classmethod
    async def log_in(cls, url: str, username: str, *, verify: bool = True) -> Person:
        """Trades the demo password for tokens."""
        async with httpx.AsyncClient(base_url=url, verify=verify) as http:
            answer = await http.post(
                "/api/v1/token/", json={"username": username, "password": PASSWORD}
            )
        assert answer.status_code == 200, answer.text
        pair = answer.json()
        return cls(url, username, pair["access"], pair["refresh"], verify)

    async def call(self, method: str, path: str, **body: Any) -> Any:
        """Makes one REST call; returns the decoded answer and fails on any error status."""
        headers = {"Authorization": f"Bearer {self.access}"}
        async with httpx.AsyncClient(
            base_url=self.url, verify=self.verify, headers=headers, timeout=30
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
