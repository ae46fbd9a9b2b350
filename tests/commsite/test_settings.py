"""Settings from the environment, each case in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.support.server import ROOT, clean_environment

KEY = "c7Yk2-a-long-key-that-nobody-else-has-and-that-is-random-enough-0Qz"
PRODUCTION = {"DEBUG": "0", "SECRET_KEY": KEY, "ALLOWED_HOSTS": "site.example"}


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own program
        [sys.executable, *arguments],
        cwd=ROOT,
        env=clean_environment(**environment) | {"DJANGO_SETTINGS_MODULE": "commsite.settings"},
        capture_output=True,
        text=True,
        check=False,
    )


def values(*names: str, **environment: str) -> Any:
    program = (
        "import json; from django.conf import settings as s;"
        f"print(json.dumps([getattr(s, name, None) for name in {names!r}], default=str))"
    )
    done = run("-c", program, **environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def refusal(**environment: str) -> str:
    done = run("manage.py", "check", **environment)
    assert done.returncode != 0
    return done.stderr


def test_development_needs_no_variable() -> None:
    debug, database, realtime = values("DEBUG", "DATABASES", "REALTIME")
    assert debug is True
    assert database["default"]["ENGINE"].endswith("sqlite3")
    assert database["default"]["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    assert "journal_mode=WAL" in database["default"]["OPTIONS"]["init_command"]
    assert realtime["DB_THREADS"] == 4


ADDRESS = "http://ada:pass-word@127.0.0.1:1/v1"


@pytest.mark.parametrize(
    "half", [{"ASSISTANT_BASE_URL": ADDRESS}, {"ASSISTANT_MODEL": "small"}], ids=["url", "model"]
)
def test_half_a_model_does_not_start(half: dict[str, str]) -> None:
    refused = refusal(**half)

    assert "ASSISTANT_BASE_URL and ASSISTANT_MODEL belong together" in refused
    assert "pass-word" not in refused


@pytest.mark.parametrize(
    "address",
    ["ftp://ada:pass-word@models", "https://ada:pass-word@", "http://ada:pass-word@models:x/v1"],
)
def test_an_address_that_is_none_does_not_start_and_is_not_repeated(address: str) -> None:
    refused = refusal(ASSISTANT_BASE_URL=address, ASSISTANT_MODEL="small")

    assert "http(s)://" in refused
    assert "pass-word" not in refused


def test_a_key_that_no_header_can_hold_does_not_start_and_is_not_repeated() -> None:
    given = {"ASSISTANT_BASE_URL": ADDRESS, "ASSISTANT_MODEL": "small"}
    refused = refusal(ASSISTANT_API_KEY="sk-very\nsecret", **given)

    assert "ASSISTANT_API_KEY" in refused
    assert "secret" not in refused.replace("SECRET_KEY", "")


def test_a_model_is_configured_by_two_variables_and_a_key() -> None:
    names = ("ASSISTANT_BASE_URL", "ASSISTANT_MODEL", "ASSISTANT_API_KEY")
    given = {"ASSISTANT_BASE_URL": ADDRESS, "ASSISTANT_MODEL": "small", "ASSISTANT_API_KEY": "k"}

    assert values(*names, **given) == [ADDRESS, "small", "k"]


def test_production_without_a_secret_key_does_not_start() -> None:
    assert "SECRET_KEY" in refusal(DEBUG="0")


def test_production_with_the_development_key_does_not_start() -> None:
    (key,) = values("SECRET_KEY")
    assert "SECRET_KEY" in refusal(DEBUG="0", SECRET_KEY=key)


def test_production_refuses_the_bench_topics() -> None:
    assert "COMMSITE_BENCH" in refusal(**PRODUCTION, COMMSITE_BENCH="1")


def test_production_refuses_the_demo() -> None:
    done = run("manage.py", "seed", **PRODUCTION)
    assert done.returncode != 0
    assert "DEBUG=0" in done.stderr


def test_production_passes_djangos_own_deployment_check() -> None:
    done = run("manage.py", "check", "--deploy", "--fail-level", "WARNING", **PRODUCTION)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr.replace("fail-level", "")


def test_two_sites_sign_with_different_keys() -> None:
    (one,) = values("SIMPLE_JWT", **PRODUCTION)
    (other,) = values("SIMPLE_JWT", **PRODUCTION | {"SECRET_KEY": KEY[::-1]})
    assert one["SIGNING_KEY"] != other["SIGNING_KEY"]
    assert len(one["SIGNING_KEY"]) >= 32
    assert one["SIGNING_KEY"] != KEY


def test_postgresql_comes_with_a_pool_and_no_lasting_connections() -> None:
    database, realtime = values(
        "DATABASES", "REALTIME", DATABASE_URL="postgres://site:secret@127.0.0.1:5433/site"
    )
    assert database["default"]["OPTIONS"]["pool"]["max_size"] == 20
    assert database["default"]["CONN_MAX_AGE"] == 0
    assert realtime["DB_THREADS"] == 8


def test_redis_carries_the_layer_and_the_counters() -> None:
    layers, caches = values("CHANNEL_LAYERS", "CACHES", REDIS_URL="redis://127.0.0.1:6390/3")
    (host,) = layers["default"]["CONFIG"]["hosts"]
    assert host["address"] == "redis://127.0.0.1:6390/3"
    assert host["socket_timeout"] is None, "a subscription waits for as long as nobody speaks"
    assert host["max_connections"] > 1
    assert layers["default"]["BACKEND"].endswith("RedisPubSubChannelLayer")
    assert caches["default"]["LOCATION"] == "redis://127.0.0.1:6390/3"


@pytest.mark.parametrize("name", ["SOCKETS_PER_USER", "FRAME_BYTES", "DRAIN_BATCH"])
def test_every_limit_is_a_variable(name: str) -> None:
    (realtime,) = values("REALTIME", **{f"COMMSITE_{name}": "7"})
    assert realtime[name] == 7


def test_lifetimes_are_variables() -> None:
    found = values(
        "ACCESS_LIFETIME_S",
        "TICKET_LIFETIME_S",
        COMMSITE_ACCESS_LIFETIME_S="5",
        COMMSITE_TICKET_LIFETIME_S="2",
    )
    assert found == [5, 2]


def test_a_variable_of_the_wrong_type_is_no_silent_default() -> None:
    assert "COMMSITE_IDLE_S='soon'" in refusal(COMMSITE_IDLE_S="soon")
    assert "a whole number" in refusal(COMMSITE_FRAME_BYTES="1.5")
