"""What the assistant tells the core and its conversation when the app is ready."""

import uuid
from typing import Any

from commsite.realtime import pubsub, registry, telemetry
from commsite.realtime.hub import hub
from conversation import hooks
from conversation.assistant import actions, approvals, quotes, runs, shapes
from conversation.assistant.backend import configured_backend
from conversation.assistant.commands import slash_commands
from conversation.assistant.engine import engine
from conversation.assistant.folding import RunFolding
from conversation.assistant.store import RUN_EVENT, Claim
from conversation.models import Member


def register() -> None:
    """Fills the registries of the core and the hooks of the conversation; once."""
    registry.declare(RUN_EVENT, registry.Delivery.STATE)
    registry.mirror(RUN_EVENT, RunFolding())
    hooks.read_runs(shapes.runs_of)
    hooks.read_live_runs(shapes.active_shapes)
    hooks.on_message(actions.answer_message)
    hooks.on_delete(quotes.forget)
    hooks.on_welcome(who_answers)
    runs.run_here(runs.Host(_node, _launch))
    pubsub.on_control(runs.RUN_ENDED_CONTROL, _ended)
    pubsub.on_control(approvals.ANSWERED_CONTROL, approvals.hear)
    telemetry.subscribe("hub_started", engine.started)
    telemetry.subscribe("ticked", engine.ticked)
    pubsub.on_stop(engine.leave)


def who_answers(me: Member) -> dict[str, Any]:
    """For every join reply: which assistant answers here, and which commands it knows."""
    backend = configured_backend()
    who = {"kind": backend.kind, "model": backend.model}
    return {"conversation": {"backend": who, "commands": slash_commands()}}


def _node() -> str | None:
    is_here = hub.loop is not None and not hub.loop.is_closed() and not hub.is_draining
    return hub.node if is_here else None


def _launch(claim: Claim) -> None:
    """From the thread that has claimed it."""
    loop = hub.loop
    if loop is not None and not loop.is_closed():
        loop.call_soon_threadsafe(engine.launch, claim)


def _ended(ended: dict[str, Any]) -> None:
    engine.stop(uuid.UUID(ended["run_id"]))
