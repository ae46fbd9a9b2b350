"""Both backends as people meet them: through the socket, the run and the database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from commsite.realtime import tools
from commsite.realtime.threads import in_thread
from conversation.assistant.conversation_tools import Nothing
from conversation.consumers import ConversationConsumer
from conversation.rates import rates
from tests.support import in_process
from tests.support.model_server import (
    ModelServer,
    call,
    content,
    drops_after,
    falls_silent_after,
    finish,
    says,
    usage,
)
from tests.support.phoenix_client import PRESENCE
from tests.support.run_viewer import Watcher

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from django.contrib.auth.models import User
    from pytest_django.fixtures import Settings

    from conversation.models import Conversation
    from tests.conversation.conftest import Say

    Enter = Callable[[User], Awaitable[Watcher]]

pytestmark = pytest.mark.django_db(transaction=True)


@pytest_asyncio.fixture
async def enter(room: Conversation, settings: Settings) -> AsyncIterator[Enter]:
    """`await enter(ada)`: she has joined the conversation and watches."""
    settings.REALTIME = settings.REALTIME | {"DRAIN_S": 0.0}
    rates.cache_clear()
    async with in_process.connections() as connect_to:

        async def enter(user: User) -> Watcher:
            client = await connect_to(ConversationConsumer.as_asgi(), user)
            client.deaf_to = PRESENCE
            return await Watcher.enter(client, room.topic)

        yield enter


@pytest.fixture
def use(settings: Settings) -> Callable[[ModelServer], None]:
    """`use(server)`: that is the model of the site."""

    def use(server: ModelServer) -> None:
        settings.ASSISTANT_BASE_URL = server.url
        settings.ASSISTANT_MODEL = "small-model"

    return use


async def ask(watcher: Watcher, body: str) -> str:
    """Has a question answered; the id of the run."""
    started = await watcher.call("start_run", body=body, client_id=body)
    return str(started["run"]["id"])


async def asked_by_message(watcher: Watcher, body: str) -> str:
    """Says something that the assistant answers by itself; the id of the run."""
    await watcher.call("send_message", body=body, client_id=body)
    while not watcher.viewer.texts:
        message = await watcher.client.next()
        watcher.viewer.see(message.event, message.payload)
    (run_id,) = watcher.viewer.texts
    return run_id


async def test_without_a_model_a_command_is_answered_with_what_was_said(
    enter: Enter, room: Conversation, ada: User, grace: User, say: Say
) -> None:
    said = await in_thread(say, grace, "The deploy key is on the server.")
    asker, reader = await enter(ada), await enter(grace)

    run_id = await asked_by_message(asker, "/search deploy key")

    for watcher in (asker, reader):
        message = await watcher.completed(run_id)
        assert message["body"].startswith("**No model is configured**")
        assert f"(/conversations/{room.id}/#message-{said['seq']})" in message["body"]
        assert f'href="/conversations/{room.id}/#message-{said["seq"]}"' in message["html"]
        assert (message["run"]["backend"], message["run"]["model"]) == ("workspace", None)
        (part,) = message["run"]["parts"]
        assert (part["name"], part["status"]) == ("search_messages", "done")
        assert part["arguments"] == {"query": "deploy key"}
        assert watcher.viewer.gaps == set()


async def test_who_is_here_is_whoever_has_joined(
    enter: Enter, ada: User, grace: User, linus: User
) -> None:
    asker = await enter(ada)
    run_id = await ask(asker, "/who")

    body = (await asker.completed(run_id))["body"]
    assert "2 members, 1 here now:" in body
    assert body.index("**ada**: here") < body.index("**grace**: not here")


async def test_the_assistant_does_not_find_its_own_findings(
    enter: Enter, ada: User, grace: User, say: Say
) -> None:
    await in_thread(say, grace, "lunch at noon")
    asker = await enter(ada)
    await asker.completed(await ask(asker, "when is lunch?"))
    body = (await asker.completed(await ask(asker, "/search noon")))["body"]

    assert "1 message with noon:" in body


async def test_nor_does_it_with_a_model(
    enter: Enter, ada: User, grace: User, say: Say, use: Callable[[ModelServer], None]
) -> None:
    await in_thread(say, grace, "lunch at noon")
    async with ModelServer(says(content("…"), finish())) as server:
        use(server)
        asker = await enter(ada)
        await asker.completed(await ask(asker, "/search noon"))
        body = (await asker.completed(await ask(asker, "/search lunch")))["body"]

    assert "1 message with lunch:" in body
    assert server.exchanges == []


async def test_a_joiner_is_told_who_answers_and_which_commands_there_are(
    enter: Enter, ada: User, use: Callable[[ModelServer], None]
) -> None:
    async with ModelServer(says(content("Hi"), finish())) as server:
        use(server)
        heading = (await enter(ada)).reply["conversation"]

    assert heading["backend"] == {"kind": "openai", "model": "small-model"}
    assert "/search <query>" in [each["usage"] for each in heading["commands"]]


async def test_a_model_answers_in_the_conversation_with_its_tools_and_its_usage(
    enter: Enter, ada: User, grace: User, say: Say, use: Callable[[ModelServer], None]
) -> None:
    await in_thread(say, grace, "The deploy key is on the server.")
    asks = says(
        content("Let me look."),
        call(0, id="a", name="search_messages", arguments='{"query": "deploy'),
        call(0, arguments=' key"}'),
        finish("tool_calls"),
        usage(50, 10),
    )
    async with ModelServer(
        asks, says(content("It is **there**."), finish(), usage(80, 5))
    ) as server:
        use(server)
        asker = await enter(ada)
        message = await asker.completed(await ask(asker, "Where is the key?"))

    assert message["body"] == "Let me look.\n\nIt is **there**."
    assert message["run"]["usage"] == {
        "input_tokens": 130,
        "output_tokens": 15,
        "is_estimated": False,
    }
    (part,) = message["run"]["parts"]
    assert part["title"] == "Search messages"
    assert "The deploy key is on the server." in part["result"]
    given = [turn["content"] for turn in server.exchanges[0].messages if turn["role"] == "user"]
    assert given == ["grace: The deploy key is on the server.", "ada: Where is the key?"]


async def test_stopping_closes_the_request_to_the_model(
    enter: Enter, ada: User, use: Callable[[ModelServer], None]
) -> None:
    async with ModelServer(falls_silent_after(content("Once upon"))) as server:
        use(server)
        asker = await enter(ada)
        run_id = await ask(asker, "A story!")
        await asker.until_shown(run_id, "Once upon")

        verdict = await asker.call("cancel_run", run_id=run_id)
        await server.exchanges[0].gone.wait()

    assert (verdict["verdict"], verdict["offset"]) == ("stopped", 9)
    assert (await asker.completed(run_id))["body"] == "Once upon"


async def test_a_drop_in_the_middle_is_an_error_that_can_be_continued(
    enter: Enter, ada: User, use: Callable[[ModelServer], None]
) -> None:
    rest = says(content(" a time."), finish())
    async with ModelServer(drops_after(content("Once upon")), rest) as server:
        use(server)
        asker = await enter(ada)
        run_id = await ask(asker, "A story!")
        broken = await asker.completed(run_id)
        went_on = await asker.call("continue_run", run_id=run_id, client_id="go on")
        whole = await asker.completed(went_on["run"]["id"])

    assert broken["body"] == "Once upon"
    assert broken["run"]["status"] == "error"
    assert broken["run"]["error"]["code"] == "cut_off"
    assert whole["body"] == "Once upon a time."


async def test_what_changes_something_waits_for_a_person(
    enter: Enter,
    ada: User,
    grace: User,
    use: Callable[[ModelServer], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done: list[str] = []

    def paint(context: tools.ToolContext, nothing: Nothing) -> str:
        done.append(context.username)
        return "painted"

    monkeypatch.setattr(tools, "_tools", {})
    tools.register(
        tools.Tool(
            name="paint",
            title="Paint the wall",
            description="…",
            parameters=Nothing,
            run=paint,
            changes_something=True,
        )
    )
    asks = says(call(0, id="a", name="paint", arguments="{}"), finish("tool_calls"))
    async with ModelServer(asks, says(content("Done."), finish())) as server:
        use(server)
        asker = await enter(ada)
        run_id = await ask(asker, "Paint!")
        asked = await asker.until("run_event", type="CUSTOM")
        assert done == []
        await asker.call("answer_approval", run_id=run_id, tool_call_id="a", approve=True)
        message = await asker.completed(run_id)

    assert asked["name"] == "approval_requested"
    assert done == ["ada"]
    assert message["run"]["parts"][0]["approval"]["by"]["username"] == "ada"
    assert message["body"] == "Done."
