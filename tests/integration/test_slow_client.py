"""A client that stops reading costs nobody else anything, and loses nothing it must have."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from tests.support.account import Account
from tests.support.metrics import metric
from tests.support.people import ADA, GRACE, LINUS
from tests.support.phoenix_client import PhoenixClient
from tests.support.raw_socket import CLOSE, TEXT, RawSocket

if TYPE_CHECKING:
    from tests.integration.conftest import Sites
    from tests.support.server import Site

LONGEST_BODY = "😀" * 16_384  # 64 KiB on the wire
MIB = 1024 * 1024
STUCK_BYTES = 400 * 1024
"""So much in an outbox is no passing jam, and far from too much (1 MiB)."""
both_servers = pytest.mark.parametrize("kind", ["uvicorn", "daphne"])


async def join_raw(site: Site, account: Account, topic: str) -> tuple[RawSocket, Any]:
    """A raw socket with a small receive buffer that has joined `topic`, and its join's response."""
    query = urlencode({"token": account.access, "vsn": "2.0.0"})
    raw = await RawSocket.connect(f"{site.socket_url}?{query}")
    await raw.push("1", "1", topic, "phx_join", {})
    answer = await raw.read_reply("1")
    assert answer["status"] == "ok"
    return raw, answer["response"]


async def read_to_the_end(raw: RawSocket) -> tuple[list[Any], int]:
    """Every envelope that still arrives, and the close code."""
    envelopes = []
    while (frame := await raw.read()).opcode != CLOSE:
        if frame.opcode == TEXT:
            envelopes.append(json.loads(frame.payload))
    return envelopes, frame.close_code


async def stuff(talker: PhoenixClient, room: str, site: Site) -> int:
    """Sends until the slow client's outbox is in use for good; returns how many messages that took.

    One message that waits proves nothing: it may be the talker's own, or leave as the system finds room for it. Several
    do: the talker takes what it is sent, and what is for a client that does not read stays.
    """
    sent = 0
    while metric(site, "outbox_bytes") < STUCK_BYTES:
        assert sent < 400, "26 MB were sent and nothing had to wait"
        command = {"body": LONGEST_BODY, "client_id": f"c{sent}"}
        await talker.call(room, "send_message", command)
        await talker.heartbeat()
        sent += 1
    return sent


def too_slow(site: Site) -> float:
    return metric(site, "sockets_closed_total", code="4008")


@both_servers
async def test_it_is_closed_with_4008_others_go_on_and_on_return_it_misses_no_message(
    sites: Sites, kind: Any
) -> None:
    site = sites(kind)
    ada, grace, linus = [await Account.log_in(person, site) for person in (ADA, GRACE, LINUS)]
    room = await ada.open_conversation("grace", "linus")
    slow, snapshot = await join_raw(site, ada, room)
    sent: list[int] = []
    async with (
        await PhoenixClient.connect(site.socket_url, token=grace.access) as talker,
        await PhoenixClient.connect(site.socket_url, token=linus.access) as bystander,
    ):
        await talker.join(room)
        await bystander.join(room)
        while not too_slow(site):
            assert len(sent) < 400, "26 MB were sent and the client that does not read is still in"
            for _ in range(10):
                command = {"body": LONGEST_BODY, "client_id": f"c{len(sent)}"}
                reply = await talker.call(room, "send_message", command)
                sent.append(reply["message"]["seq"])
        heard = [await bystander.next("message_sent") for _ in sent]
        await bystander.heartbeat()
    assert [m.payload["message"]["seq"] for m in heard] == sent

    envelopes, code = await read_to_the_end(slow)
    slow.close()
    assert code == 4008
    *events, last = envelopes
    assert (last[2], last[3]) == ("client", "closing")
    assert (last[4]["code"], last[4]["resume"]) == (4008, True)
    seen = [payload["message"]["seq"] for *_, event, payload in events if event == "message_sent"]
    assert seen == list(range(snapshot["seq"] + 1, snapshot["seq"] + 1 + len(seen)))

    async with await PhoenixClient.connect(
        site.socket_url, token=ada.access, max_size=None
    ) as returned:
        last_seen = seen[-1] if seen else snapshot["seq"]
        reply = await returned.join(room, {"since": last_seen})
        assert reply["reset"] is False
        missed = [await returned.next("message_sent") for _ in range(sent[-1] - last_seen)]
    assert seen + [m.payload["message"]["seq"] for m in missed] == sent


@both_servers
async def test_a_flood_does_not_grow_the_server_s_memory(sites: Sites, kind: Any) -> None:
    site = sites(kind)
    ada, grace, linus = [await Account.log_in(person, site) for person in (ADA, GRACE, LINUS)]
    slow = [(await join_raw(site, ada, "bench:flood"))[0] for _ in range(5)]
    async with (
        await PhoenixClient.connect(site.socket_url, token=grace.access) as flooder,
        await PhoenixClient.connect(site.socket_url, token=linus.access) as bystander,
    ):
        await flooder.join("bench:flood")
        await bystander.join("bench:flood")
        before = site.rss_bytes()
        for number in range(400):
            payload = {"n": number, "text": "x" * 256_000}
            await flooder.push("bench:flood", "msg", payload)
            assert (await bystander.next("msg")).payload["n"] == number
            await flooder.next("msg")
        growth = site.rss_bytes() - before
        assert await bystander.call("bench:flood", "echo", {"still": "here"}) == {"still": "here"}
    assert too_slow(site) == 5
    # 100 MB passed; five outboxes of 1 MiB and what the servers hold in buffers may remain.
    assert growth < 30 * MIB, f"grew by {growth / MIB:.0f} MiB"
    for raw in slow:
        raw.close()


@both_servers
async def test_of_a_state_it_gets_only_the_latest_value_when_it_reads_again(
    sites: Sites, kind: Any
) -> None:
    site = sites(kind)
    ada, grace = [await Account.log_in(person, site) for person in (ADA, GRACE)]
    room = await ada.open_conversation("grace")
    slow, joined = await join_raw(site, ada, room)
    await slow.push("2", "2", f"user:{joined['user']['id']}", "phx_join", {})
    assert (await slow.read_reply("2"))["status"] == "ok"
    themes = ["dark", "light"] * 10
    async with await PhoenixClient.connect(site.socket_url, token=grace.access) as talker:
        await talker.join(room)
        sent = await stuff(talker, room, site)

        for theme in themes:
            await ada.call("PATCH", "preferences/", theme=theme)
        await talker.heartbeat()

    # What the talker has read is a state too, and may have been replaced meanwhile.
    assert metric(site, "deliveries_conflated_total") >= len(themes) - 1
    heard: list[Any] = []
    messages = 0
    while not (heard and messages == sent):
        frame = await slow.read()
        assert frame.opcode == TEXT, "it is slow, not too slow"
        *_, event, payload = json.loads(frame.payload)
        messages += event == "message_sent"
        if event == "preferences_changed":
            heard.append(payload["preferences"]["theme"])
    slow.close()
    assert heard == [themes[-1]]


@both_servers
async def test_of_what_may_be_dropped_it_hears_nothing_until_it_reads_again(
    sites: Sites, kind: Any
) -> None:
    site = sites(kind)
    ada, grace, linus = [await Account.log_in(person, site) for person in (ADA, GRACE, LINUS)]
    room = await ada.open_conversation("grace", "linus")
    slow, _ = await join_raw(site, ada, room)
    async with (
        await PhoenixClient.connect(site.socket_url, token=grace.access) as talker,
        await PhoenixClient.connect(site.socket_url, token=linus.access) as bystander,
    ):
        await talker.join(room)
        await bystander.join(room)
        sent = await stuff(talker, room, site)
        told = await flip(talker, bystander, room, times=4)
        dropped = metric(site, "deliveries_dropped_total", **{"class": "ephemeral"})

        heard: list[str] = []
        while heard.count("message_sent") < sent:
            frame = await slow.read()
            assert frame.opcode == TEXT, "it is slow, not too slow"
            heard.append(json.loads(frame.payload)[3])
        await slow.push(None, "9", "phoenix", "heartbeat", {})
        await slow.read_reply("9")
        await talker.call(room, "start_typing")
        while (envelope := await slow.read_envelope())[3] != "typing_changed":
            pass

    slow.close()
    assert dropped == told == 4
    assert "typing_changed" not in heard
    assert [each["user"]["username"] for each in envelope[4]["typing"]] == ["grace"]


async def flip(talker: PhoenixClient, bystander: PhoenixClient, room: str, *, times: int) -> int:
    """Starts and stops typing in turn; returns how often the bystander was told."""
    for number in range(times):
        await talker.call(room, "stop_typing" if number % 2 else "start_typing")
        await bystander.next("typing_changed")
    return times
