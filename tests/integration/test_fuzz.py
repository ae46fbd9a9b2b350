"""Whatever a client sends: it alone gets the reply or the close, and nobody else notices."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.account import Account
from tests.support.people import ADA, GRACE
from tests.support.phoenix_client import PhoenixClient
from tests.support.raw_socket import BINARY, CLOSE, TEXT, RawSocket, frame_bytes

if TYPE_CHECKING:
    from tests.integration.conftest import Sites
    from tests.support.server import Site

MIB = 1024 * 1024
FRAMES = {"uvicorn": 5_000, "daphne": 1_000}
EXPECTED_CLOSES = {1002, 1007, 1009, 4400}
REF = "barrier"

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=40)
    | st.sampled_from(["__proto__", "constructor", "\ud800", "\x00", "x" * 10_240, "é" * 200])
)
json_values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=6)
        | st.dictionaries(
            st.text(max_size=8) | st.sampled_from(["__proto__", "since", "body", "client_id"]),
            inner,
            max_size=6,
        )
    ),
    max_leaves=12,
)
topics = st.sampled_from(
    [
        "bench:fuzz",
        "phoenix",
        "client",
        "user:1",
        "user:0",
        "conversation:",
        "conversation:00000000-0000-4000-8000-000000000000",
        "__proto__",
        "constructor:prototype",
        ":",
        "bench:" + "x" * 10_240,
        "bench:\x00",
    ]
)
events = st.sampled_from(
    ["phx_join", "phx_leave", "heartbeat", "msg", "echo", "phx_reply", "phx_close", "renew_token",
     "send_message", "fetch_history", "__class__", "on_msg", ""]
)  # fmt: skip
refs: st.SearchStrategy[Any] = st.sampled_from(
    [None, "1", 1, 0, "", -1, 1.5, True, [], {}, "r" * 300]
)
envelopes = st.tuples(
    refs | scalars, refs | scalars, topics | scalars, events | scalars, json_values
)
raw_json = st.one_of(
    json_values,
    envelopes.map(list),
    st.lists(json_values, max_size=8),
    st.fixed_dictionaries({"topic": topics, "event": events, "payload": json_values, "ref": refs}),
).map(lambda value: json.dumps(value).encode())
nested = st.sampled_from(
    [
        b"[" * 10_000,
        b"[" * 10_000 + b"]" * 10_000,
        b'["1","1","bench:fuzz","echo",' + b"[" * 10_000 + b"]" * 10_000 + b"]",
        b'["1","1","bench:fuzz","phx_join",' + b'{"a":' * 10_000 + b"1" + b"}" * 10_000 + b"]",
    ]
)
cut_short = raw_json.flatmap(lambda text: st.integers(0, len(text)).map(lambda end: text[:end]))
binary = st.one_of(
    st.binary(max_size=64),
    st.tuples(st.integers(0, 255), st.binary(max_size=64)).map(lambda t: bytes([t[0]]) + t[1]),
    st.binary(max_size=40).map(lambda data: b"\x00\x01\x01\x0a\x0411bench:fuzzecho" + data),
    st.binary(max_size=40).map(lambda data: b"\x00\x01\x01\x0a\x0311bench:fuzzmsg" + data),
)
frames = st.one_of(
    raw_json.map(lambda text: (TEXT, text)),
    raw_json.map(lambda text: (TEXT, text)),
    cut_short.map(lambda text: (TEXT, text)),
    nested.map(lambda text: (TEXT, text)),
    st.binary(max_size=80).map(lambda data: (TEXT, data)),
    binary.map(lambda data: (BINARY, data)),
)


class Attacker:
    """One connection that sends what it is told and is made anew whenever it was closed."""

    def __init__(self, site: Site, token: str) -> None:
        self.url = f"{site.socket_url}?{urlencode({'token': token, 'vsn': '2.0.0'})}"
        self.raw: RawSocket | None = None
        self.sent = 0
        self.closes: list[int] = []

    async def send(self, opcode: int, payload: bytes) -> None:
        """Sends one frame, then a heartbeat; waits for its answer or for the close."""
        if self.raw is None:
            self.raw = await RawSocket.connect(self.url, receive_buffer=1 << 20)
            await self.raw.push("1", "1", "bench:fuzz", "phx_join", {})
        await self.raw.send_bytes(frame_bytes(payload, opcode))
        await self.raw.push(None, REF, "phoenix", "heartbeat", {})
        self.sent += 1
        code = await self._code_or_answer(self.raw)
        if code is not None:
            self.closes.append(code)
            self.raw.close()
            self.raw = None

    async def _code_or_answer(self, raw: RawSocket) -> int | None:
        while True:
            frame = await raw.read()
            if frame.opcode == CLOSE:
                return frame.close_code
            if frame.opcode == TEXT and json.loads(frame.payload)[:3] == [None, REF, "phoenix"]:
                return None


@pytest.mark.timeout(400)
@pytest.mark.parametrize("kind", ["uvicorn", "daphne"])
def test_no_frame_harms_anyone_but_its_sender(sites: Sites, kind: Any) -> None:
    site = sites(kind)
    with asyncio.Runner() as runner:
        ada, grace = runner.run(_log_in_both(site))
        bystander = runner.run(PhoenixClient.connect(site.socket_url, token=grace.access))
        runner.run(bystander.join("bench:bystander"))
        attacker = Attacker(site, ada.access)
        before = site.rss_bytes()

        async def attack(opcode: int, payload: bytes) -> None:
            try:
                await attacker.send(opcode, payload)
            except (EOFError, ConnectionError) as error:
                raise AssertionError(f"cut off without a close frame: {error!r}") from error
            if attacker.sent % 50 == 0:
                echo = await bystander.call("bench:bystander", "echo", {"n": attacker.sent})
                assert echo == {"n": attacker.sent}

        @settings(
            max_examples=FRAMES[kind],
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(frames)
        def fuzz(frame: tuple[int, bytes]) -> None:
            runner.run(attack(*frame))

        fuzz()
        assert attacker.sent >= FRAMES[kind]
        assert set(attacker.closes) <= EXPECTED_CLOSES
        assert attacker.closes, "nothing it sent was bad enough: the strategies are too tame"
        runner.run(bystander.close())
        growth = site.rss_bytes() - before
        assert growth < 40 * MIB, f"grew by {growth / MIB:.0f} MiB"
    assert "Traceback" not in site.log


async def _log_in_both(site: Site) -> tuple[Account, Account]:
    return await Account.log_in(ADA, site), await Account.log_in(GRACE, site)


@pytest.fixture(scope="module", params=["uvicorn", "daphne"])
def shared_site(request: pytest.FixtureRequest, module_sites: Sites) -> Site:
    return module_sites(request.param)


@pytest.mark.parametrize(
    ("opcode", "payload", "code"),
    [
        pytest.param(TEXT, b"[" * 10_000, 4400, id="10,000 deep and never closed"),
        pytest.param(TEXT, b'["1","1","bench:fuzz"]', 4400, id="three of five elements"),
        pytest.param(TEXT, b'{"topic":"bench:fuzz"}', 4400, id="an object where V2 has arrays"),
        pytest.param(TEXT, b"\xff\xfe", 1007, id="not UTF-8"),
        pytest.param(TEXT, b'["1","1","bench:fuzz","msg",{"a":"\xc3\x28"}]', 1007,
                     id="not UTF-8 inside the payload"),
        pytest.param(BINARY, b"\x07\x01\x01", 4400, id="an unknown binary kind"),
        pytest.param(BINARY, b"\x00\xff\xff\xff\xff", 4400, id="sizes larger than the frame"),
        pytest.param(TEXT, b'["1","1","bench:fuzz","msg","' + b"x" * MIB + b'"]', 1009,
                     id="a frame over 1 MiB"),
    ],
)  # fmt: skip
async def test_a_breach_is_answered_with_its_close_code(
    shared_site: Site, opcode: int, payload: bytes, code: int
) -> None:
    ada = await Account.log_in(ADA, shared_site)
    attacker = Attacker(shared_site, ada.access)
    await attacker.send(opcode, payload)
    assert attacker.closes == [code]


@pytest.mark.parametrize("kind", ["uvicorn", "daphne"])
async def test_a_flood_of_pushes_is_told_to_slow_down_then_closed_and_a_bystander_goes_on(
    sites: Sites, kind: Any
) -> None:
    site = sites(kind, environment={"COMMSITE_BENCH": "0"})
    ada, grace = await _log_in_both(site)
    room = await grace.open_conversation("linus")
    url = f"{site.socket_url}?{urlencode({'token': ada.access, 'vsn': '2.0.0'})}"
    async with (
        await RawSocket.connect(url, receive_buffer=1 << 20) as flooder,
        await PhoenixClient.connect(site.socket_url, token=grace.access) as bystander,
    ):
        await bystander.join(room)
        beat = json.dumps([None, "1", "client", "no_such_event", {}]).encode()
        await flooder.send_bytes(b"".join(frame_bytes(beat) for _ in range(2_000)))
        sent = await bystander.call(room, "send_message", {"body": "hi", "client_id": "1"})
        assert sent["message"]["body"] == "hi"
        reasons, code = await _reasons_until_the_close(flooder)
    assert "rate_limited" in reasons
    assert code == 4003


async def _reasons_until_the_close(raw: RawSocket) -> tuple[set[str], int]:
    reasons = set()
    while (frame := await raw.read()).opcode != CLOSE:
        if frame.opcode != TEXT:
            continue
        *_, event, payload = json.loads(frame.payload)
        if event == "phx_reply":
            reasons.add(payload["response"].get("reason", ""))
    return reasons, frame.close_code
