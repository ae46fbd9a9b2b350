"""The people of the demo, who also live in every test's seeded database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx

from tests.support.deadline import PATIENCE_S

if TYPE_CHECKING:
    from tests.support.server import Site

PASSWORD = "commsite-demo"


@dataclass(frozen=True)
class Tokens:
    """What a login over REST gives."""

    access: str
    refresh: str


@dataclass(frozen=True)
class Person:
    """Somebody who can log in to a site."""

    username: str
    password: str = PASSWORD

    async def log_in(self, site: Site) -> Tokens:
        """Logs in over REST: a new client session each time."""
        async with httpx.AsyncClient(
            base_url=site.url,
            verify=False,  # noqa: S501 - our own server
            timeout=PATIENCE_S,
            trust_env=False,
        ) as client:
            answer = await client.post(
                "/api/v1/token/", json={"username": self.username, "password": self.password}
            )
        answer.raise_for_status()
        tokens = answer.json()
        return Tokens(tokens["access"], tokens["refresh"])

    async def rest(self, site: Site) -> httpx.AsyncClient:
        """A REST client that speaks for this person; close it, or use it with `async with`."""
        tokens = await self.log_in(site)
        return httpx.AsyncClient(
            base_url=f"{site.url}/api/v1",
            headers={"Authorization": f"Bearer {tokens.access}"},
            verify=False,  # noqa: S501 - our own server
            timeout=PATIENCE_S,
            trust_env=False,
        )


ADA = Person("ada")
GRACE = Person("grace")
LINUS = Person("linus")
ADMIN = Person("admin")
