"""The quick reading of a token agrees with the library's, and accepts nothing that the library refuses."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import jwt
import pytest
from django.conf import settings
from hypothesis import given
from hypothesis import strategies as st

from commsite.clients import signed_claims

KEY = str(settings.SIMPLE_JWT["SIGNING_KEY"])
NOW = time.time()
GOOD: dict[str, Any] = {
    "token_type": "access",
    "exp": int(NOW) + 900,
    "jti": "a1",
    "sub": "7",
    "sid": "6f0f1a34-0a3e-4f7b-9d0e-6a9c6a1b8f11",
    "ver": 0,
    "username": "ada",
    "staff": False,
    "iss": settings.SIMPLE_JWT["ISSUER"],
    "aud": settings.SIMPLE_JWT["AUDIENCE"],
}
TOKEN = jwt.encode(GOOD, KEY, "HS256")


def test_a_token_of_ours_is_read_as_it_was_written() -> None:
    claims = signed_claims.read(TOKEN, NOW)

    assert claims is not None
    assert (claims.sub, claims.username, claims.exp) == ("7", "ada", GOOD["exp"])


@pytest.mark.parametrize("missing", sorted(GOOD))
def test_a_missing_claim_is_not_decided_here(missing: str) -> None:
    claims = {name: value for name, value in GOOD.items() if name != missing}

    assert signed_claims.read(jwt.encode(claims, KEY, "HS256"), NOW) is None


@pytest.mark.parametrize(
    "other",
    [
        {"exp": int(NOW) - 1},
        {"iss": "x"},
        {"aud": "x"},
        {"sub": "x"},
        {"sub": ""},
        {"sub": "²"},
        {"ver": "0"},
    ],
    ids=lambda other: (
        next(iter(other)) + "=" + ("past" if "exp" in other else str(next(iter(other.values()))))
    ),
)
def test_what_is_not_certainly_good_is_not_decided_here(other: dict[str, Any]) -> None:
    assert signed_claims.read(jwt.encode(GOOD | other, KEY, "HS256"), NOW) is None


def test_another_key_or_algorithm_is_never_good() -> None:
    unsigned = base64.urlsafe_b64encode(json.dumps({"alg": "none", "typ": "JWT"}).encode()).decode()
    body = TOKEN.split(".")[1]

    assert signed_claims.read(jwt.encode(GOOD, "k" * 32, "HS256"), NOW) is None
    assert signed_claims.read(jwt.encode(GOOD, KEY, "HS512"), NOW) is None
    assert signed_claims.read(f"{unsigned.rstrip('=')}.{body}.", NOW) is None


@given(st.data())
def test_no_change_of_a_byte_goes_unnoticed(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(TOKEN) - 1))
    instead = data.draw(st.characters(max_codepoint=300).filter(lambda letter: letter != TOKEN[at]))

    assert signed_claims.read(TOKEN[:at] + instead + TOKEN[at + 1 :], NOW) is None


@given(st.text(max_size=300))
def test_any_text_is_read_without_an_exception(text: str) -> None:
    assert signed_claims.read(text, NOW) is None
