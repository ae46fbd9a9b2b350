"""REST without a server: the views, asked in process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_framework.test import APIClient

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def rest(user: User | None) -> APIClient:
    """A client that is signed in as somebody, or (None) as nobody."""
    client = APIClient()
    client.force_authenticate(user)
    return client
