"""Links to the layer that die, hang or were never open: they are made anew, and what was missed is looked for."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest

from commsite.realtime import backplane as backplane_module
from commsite.realtime import hub as hub_module
from commsite.realtime import layer_mailbox as mailbox_module
from commsite.realtime.calls import Unreachable
from commsite.realtime.layer_mailbox import Mailbox
from commsite.realtime.packet import CONTROL, group_of, unpack_packet
from commsite.realtime.topic import shard_of
from tests.commsite.realtime import rooms
from tests.commsite.realtime.two_processes import beacon, condition, tell, told, two_in
from tests.support.deadline import PATIENCE_S
from tests.support.socket_client import SocketClient, settle

if TYPE_CHECKING:
    from commsite.realtime.hub import Hub
    from tests.support.memory_layer import MemoryLayer


async def test_a_join_is_answered_even_when_the_layer_is_down_and_the_shard_is_taken_up_later(
    hubs: list[Hub], layer: MemoryLayer
) -> None:
    layer.is_down = True
    client = SocketClient.connect(hubs[0])
    await client.join("log:a")
    assert not hubs[0].is_subscribed("log:a")
    rooms.commit("a")  # by another process; nothing of it is heard here
    layer.is_down = False
    hubs[0].wheel.tick = hub_module.CENSUS_EVERY
    hubs[0]._housekeep()
    assert await client.assert_push("log:a", "written") == {"n": 1}
    assert hubs[0].is_subscribed("log:a")


async def test_a_layer_that_hangs_holds_neither_joins_nor_the_clock_for_ever(
    hubs: list[Hub], layer: MemoryLayer
) -> None:
    layer.is_hanging = True
    client = SocketClient.connect(hubs[0])
    await client.join("room:1")
    hubs[0].wheel.tick = hub_module.CENSUS_EVERY
    hubs[0]._housekeep()
    await client.assert_reply(client.heartbeat())


async def test_a_link_that_is_dead_without_a_word_is_made_anew(
    hubs: list[Hub], layer: MemoryLayer, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = await two_in(hubs, "room:1")
    mailbox = hubs[1].backplane.mailbox
    layer.dead.add(mailbox)
    tell(first, "room:1", 1)
    await settle()
    assert second.of("room:1") == []

    monkeypatch.setattr(backplane_module, "BEACON_S", 0.001)
    monkeypatch.setattr(backplane_module, "ECHO_S", 0.003)
    beacons = asyncio.ensure_future(hubs[1].backplane._beacon_forever())
    group = group_of(shard_of("room:1"))
    await condition(lambda: not layer.dead and mailbox in layer.groups[group])
    beacons.cancel()
    await condition(lambda: hubs[1].is_subscribed("room:1") and not hubs[1].backplane._is_cut)

    tell(first, "room:1", 2)
    await second.until(told(2))
    with pytest.raises(
        Unreachable
    ):  # calls reach the same mailbox as before: it answers, in the negative
        await hubs[0].backplane.call(mailbox, "unknown", {}, 0.05)


async def test_an_event_loop_that_is_late_itself_does_not_take_its_links_for_dead(
    hubs: list[Hub], layer: MemoryLayer, monkeypatch: pytest.MonkeyPatch
) -> None:
    send, made_anew = layer.group_send, []

    async def send_in_several_turns(group: str, message: dict[str, Any]) -> None:
        for _ in range(5):
            await asyncio.sleep(0)
        await send(group, message)

    async def be_slow() -> None:
        while True:
            time.sleep(0.02)  # noqa: ASYNC251  each turn of the loop takes so long
            await asyncio.sleep(0)

    monkeypatch.setattr(layer, "group_send", send_in_several_turns)
    monkeypatch.setattr(hubs[0].backplane._box, "renew", lambda: made_anew.append(True))
    monkeypatch.setattr(mailbox_module, "STEP_S", 0.001)
    monkeypatch.setattr(backplane_module, "ECHO_S", 0.05)
    monkeypatch.setattr(backplane_module, "BEACON_S", 0.0)
    sent = layer.sent
    tasks = [
        asyncio.ensure_future(be_slow()),
        asyncio.ensure_future(hubs[0].backplane._beacon_forever()),
    ]
    await condition(lambda: layer.sent >= sent + 5)
    for task in tasks:
        task.cancel()
    assert made_anew == []
    assert not hubs[0].backplane._is_cut


async def test_a_beacon_that_was_lost_in_a_cut_is_no_second_cut(
    hubs: list[Hub],
    layer: MemoryLayer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(backplane_module, "ECHO_S", 0.3)
    monkeypatch.setattr(backplane_module, "BEACON_S", 0.0)
    backplane = hubs[0].backplane
    layer.is_down = True
    beacons = asyncio.ensure_future(backplane._beacon_forever())
    await condition(lambda: backplane._is_cut)
    layer.is_down = False
    await condition(lambda: not backplane._is_cut)
    sent = layer.sent
    await condition(lambda: layer.sent >= sent + 3)  # the beacons go on
    beacons.cancel()
    assert len([line for line in caplog.messages if "broken, silent" in line]) == 1


async def test_a_link_that_cannot_be_made_anew_is_tried_again(
    hubs: list[Hub], layer: MemoryLayer, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailbox = hubs[1].backplane.mailbox
    layer.dead.add(mailbox)
    layer.is_down = True
    monkeypatch.setattr(backplane_module, "BEACON_S", 0.001)
    monkeypatch.setattr(backplane_module, "ECHO_S", 0.003)
    beacons = asyncio.ensure_future(hubs[1].backplane._beacon_forever())
    await condition(lambda: hubs[1].backplane._is_cut)
    layer.is_down = False
    await condition(lambda: mailbox in layer.groups[group_of(CONTROL)])
    beacons.cancel()


async def test_what_the_layer_does_not_take_holds_up_nothing_for_ever(
    hubs: list[Hub], layer: MemoryLayer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailbox_module, "SEND_S", 0.01)
    first, second = await two_in(hubs, "room:1")
    layer.is_hanging = True
    tell(first, "room:1", 1)
    with pytest.raises(Unreachable):
        await hubs[0].backplane.call(hubs[1].backplane.mailbox, "unknown", {}, 5.0)
    layer.is_hanging = False
    tell(first, "room:1", 2)
    await second.until(told(2))


async def test_what_the_old_links_did_not_take_is_given_up_when_they_are_made_anew(
    layer: MemoryLayer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything else would wait behind it."""
    monkeypatch.setattr(mailbox_module, "SEND_S", 3600.0)
    box = Mailbox(lambda message: None, lambda why: None)
    await box.open()
    layer.is_hanging = True
    stuck = [
        asyncio.ensure_future(box.send_to_group("group", {})),
        asyncio.ensure_future(box.send("mailbox", {})),
    ]
    await settle()

    box.renew()

    for each in stuck:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(each, PATIENCE_S)
    layer.is_hanging = False
    await box.send_to_group("group", {})  # what is sent from now on has its full time
    await box.close()


async def test_after_a_cut_nobody_speaks_before_it_hears(
    hubs: list[Hub], layer: MemoryLayer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else those who ask it because of what it said ask the deaf."""
    backplane = hubs[1].backplane
    heard: list[bool] = []
    send = layer.group_send

    async def send_and_look(group: str, message: dict[str, Any]) -> None:
        packet = unpack_packet(message["d"])
        if packet.node == hubs[1].node and (packet.items or packet.heads):
            alive = layer.mailboxes.keys() & layer.groups[group_of(CONTROL)] - layer.dead
            heard.append(backplane.mailbox in alive)
        await send(group, message)

    monkeypatch.setattr(layer, "group_send", send_and_look)
    layer.is_down = True
    hubs[1].control("anything", {})
    await condition(lambda: backplane._is_cut)
    hubs[1].control("anything", {})
    heard.clear()
    layer.dead.add(backplane.mailbox)
    layer.refuse_receives = 3
    layer.is_down = False  # what is sent arrives; for it nothing does yet
    await condition(lambda: bool(heard))
    await beacon(hubs[1], monkeypatch)

    assert not layer.refuse_receives
    assert len(heard) >= 2
    assert all(heard)


async def test_an_outage_that_is_not_long_loses_only_what_was_on_its_way(
    hubs: list[Hub], layer: MemoryLayer, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = await two_in(hubs, "room:1")
    missed: list[int] = []
    monkeypatch.setattr(hubs[1], "on_missed", missed.append)
    layer.is_down = True
    tell(first, "room:1", 1)
    await condition(lambda: hubs[0].backplane._is_cut)
    tell(first, "room:1", 2)
    tell(first, "room:1", 3)
    await settle()
    layer.is_down = False
    await second.until(told(3))
    assert second.of("room:1") == [{"n": 2}, {"n": 3}]
    assert missed == [shard_of("room:1")]


async def test_after_a_long_outage_nobody_hears_what_is_long_past(
    hubs: list[Hub], layer: MemoryLayer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backplane_module, "KEPT_S", 0.0)
    first, second = await two_in(hubs, "room:1")
    missed: list[int] = []
    monkeypatch.setattr(hubs[1], "on_missed", missed.append)
    layer.is_down = True
    for n in (1, 2, 3):
        tell(first, "room:1", n)
        await settle()
    await condition(lambda: not hubs[0].backplane._pending)
    layer.is_down = False
    await condition(lambda: not hubs[0].backplane._is_cut)
    tell(first, "room:1", 4)
    await second.until(told(4))
    assert second.of("room:1") == [{"n": 4}]
    assert missed == [shard_of("room:1")]


async def test_what_comes_back_through_links_that_are_no_more_proves_nothing(
    hubs: list[Hub], layer: MemoryLayer, monkeypatch: pytest.MonkeyPatch
) -> None:
    backplane, send = hubs[0].backplane, layer.group_send

    async def send_as_the_links_go(group: str, message: dict[str, Any]) -> None:
        await send(group, message)
        backplane._box.renewals += 1

    monkeypatch.setattr(layer, "group_send", send_as_the_links_go)
    assert not await backplane._probe(7, 1.0)
    assert not backplane.is_subscribed(7)


async def test_once_it_hears_itself_again_what_was_missed_is_looked_for(
    hubs: list[Hub], layer: MemoryLayer, monkeypatch: pytest.MonkeyPatch
) -> None:
    gaps: list[bool] = []
    monkeypatch.setattr(hub_module, "gap_handlers", [lambda: gaps.append(True)])
    layer.is_down = True
    hubs[0].backplane.control("anything", {})
    await condition(lambda: hubs[0].backplane._is_cut)
    layer.is_down = False
    await condition(lambda: bool(gaps))
    assert not hubs[0].backplane._is_cut


async def test_a_mailbox_that_could_not_be_opened_again_is_tried_until_calls_arrive(
    hubs: list[Hub], layer: MemoryLayer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def answer(payload: dict[str, Any]) -> dict[str, Any]:
        return {"heard": payload["said"]}

    hubs[1].backplane.answers["echo"] = answer
    mailbox = hubs[1].backplane.mailbox
    layer.dead.add(mailbox)
    layer.refuse_receives = 3
    monkeypatch.setattr(backplane_module, "BEACON_S", 0.001)
    monkeypatch.setattr(backplane_module, "ECHO_S", 0.003)
    beacons = asyncio.ensure_future(hubs[1].backplane._beacon_forever())
    await condition(lambda: not layer.refuse_receives and mailbox in layer.mailboxes)
    beacons.cancel()

    assert await hubs[0].backplane.call(mailbox, "echo", {"said": 1}, 5.0) == {"heard": 1}


async def test_a_layer_that_hangs_at_the_start_is_left_for_another(
    layer: MemoryLayer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailbox_module, "SEND_S", 0.01)
    monkeypatch.setattr(hub_module, "START_PATIENCE_S", 0.02)
    layer.is_hanging = True
    late = hub_module.Hub()
    await late.start()
    assert not late.backplane.is_ready
    layer.is_hanging = False  # for new links: what hung still does
    await condition(lambda: late.backplane.is_ready)
    await late.stop()


async def test_who_is_there_gets_what_was_missed_though_somebody_joins_during_the_cut(
    hubs: list[Hub], layer: MemoryLayer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        backplane_module, "PROBE_TRIES", 10_000
    )  # the join is under way all the time
    _, second = await two_in(hubs, "log:a")
    layer.is_down = True
    hubs[1].control("anything", {})
    await condition(lambda: not hubs[1].is_subscribed("log:a"))
    joiner = SocketClient.connect(hubs[1], 3)
    ref = joiner.ask_to_join("log:a")
    await condition(lambda: bool(hubs[1].backplane._subscribing))
    rooms.commit("a")  # by another process; no number tells of it
    layer.is_down = False
    await joiner.assert_reply(ref)
    await second.until(lambda frame: frame.payload == {"n": 1})
    assert second.of("log:a") == [{"n": 1}]


async def test_a_shard_whose_tries_were_used_up_during_a_cut_is_tried_again_at_once(
    hubs: list[Hub],
) -> None:
    backplane = hubs[0].backplane
    running: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    backplane._subscribing[7] = running
    running.add_done_callback(lambda _: backplane._subscribing.pop(7))
    backplane.tend({7})
    await settle()
    running.set_result(None)  # in vain
    await condition(lambda: 7 in backplane._confirmed)


async def test_while_the_link_is_broken_a_join_waits_for_no_probe(
    hubs: list[Hub], layer: MemoryLayer, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer.is_hanging = True
    hubs[0].backplane._cut("broken")
    monkeypatch.setattr(backplane_module, "PROBE_TIMEOUT_S", 3600.0)
    client = SocketClient.connect(hubs[0])
    await client.join("room:1")
    assert not hubs[0].is_subscribed("room:1")


async def test_an_outage_is_logged_when_it_begins_and_when_it_ends(
    hubs: list[Hub], layer: MemoryLayer, caplog: pytest.LogCaptureFixture
) -> None:
    layer.dead.add(hubs[0].backplane.mailbox)
    layer.refuse_receives = 20
    hubs[0].backplane._cut("broken")
    await condition(lambda: not hubs[0].backplane._is_cut)
    assert not layer.refuse_receives
    links = [line for line in caplog.messages if "broken" in line or line.startswith("mailbox")]
    assert [line.partition(" for ")[0] for line in links] == [
        "backplane: broken, silent until mended: broken",
        "backplane: was broken",
    ]
