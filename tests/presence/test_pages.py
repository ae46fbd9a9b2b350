"""The page of one's own status line, as a form without a script sends it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.urls import reverse

from presence.queries import status_of

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.test import Client

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("expiry", "is_stored", "expires"),
    [
        ("", True, False),
        ("3600", True, True),
        ("0", False, False),
        ("99999999999", False, False),
        ("9" * 5_000, True, False),
        ("٣", True, False),
        ("soon", True, False),
    ],
    ids=["none", "hour", "zero", "long", "endless", "foreign", "word"],
)
def test_whatever_is_sent_as_its_end_is_answered(
    client: Client, ada: User, expiry: str, is_stored: bool, expires: bool
) -> None:
    client.force_login(ada)

    answer = client.post(reverse("status"), {"text": "At sea", "expires_in_s": expiry})

    assert answer.status_code == 302
    status = status_of(ada.pk)
    assert (status is not None) is is_stored
    assert (status is not None and status["expires_at"] is not None) is expires
