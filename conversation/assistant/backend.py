"""Who answers, and their answer as one stream of events.

    async with aclosing(answer(configured_backend(), job)) as events:
        async for event in events:
            ...

Leaving the block, or cancelling the task, closes the request to the model's server at once. A generator that is not
closed keeps it open: `aclosing` is not optional.
"""

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing

from django.conf import settings

from commsite.realtime import telemetry
from conversation.assistant.job import (
    Backend,
    BackendError,
    Event,
    Job,
    Kind,
    ToolCall,
    Turn,
    Verdict,
)
from conversation.assistant.model_server import server_of
from conversation.assistant.openai_backend import OpenAIBackend
from conversation.assistant.workspace_assistant import WorkspaceAssistant

__all__ = [
    "Backend",
    "BackendError",
    "Event",
    "Job",
    "Kind",
    "ToolCall",
    "Turn",
    "Verdict",
    "answer",
    "configured_backend",
]

logger = logging.getLogger(__name__)


def configured_backend() -> Backend:
    """The model of the settings; with none configured, the workspace assistant.

    A model that is configured and cannot be reached is an error of each answer, never a reason to fall back.
    """
    if not settings.ASSISTANT_BASE_URL:
        return WorkspaceAssistant()
    server = server_of(settings.ASSISTANT_BASE_URL, settings.ASSISTANT_API_KEY)
    return OpenAIBackend(server, settings.ASSISTANT_MODEL)


async def answer(backend: Backend, job: Job) -> AsyncGenerator[Event]:
    """The AG-UI events of one answer, without RUN_STARTED and RUN_FINISHED, which belong to the run.

    TEXT_MESSAGE_START, _CONTENT (deltas are never empty) and _END; TOOL_CALL_START (with our `title`), _ARGS, _END
    and _RESULT (with our `status`: done, error or denied), which may stand inside the text; `USAGE` once at
    the end of the text, where a model answered. After a cancel or an error there is no TEXT_MESSAGE_END, and USAGE
    only if the model had come to its end. Raises BackendError.
    """
    outcome = "cancelled"
    try:
        async with aclosing(_framed(backend, job)) as events:
            async for event in events:
                yield event
        outcome = "finished"
    except BackendError as error:
        outcome = error.code
        raise
    except Exception as error:
        outcome = "internal_error"
        logger.exception("the %s backend failed on run %s", backend.kind, job.run_id)
        raise BackendError(
            "internal_error", "The answer failed by our fault; it was logged."
        ) from error
    finally:
        telemetry.count("assistant_answers_total", backend=backend.kind, outcome=outcome)


async def _framed(backend: Backend, job: Job) -> AsyncGenerator[Event]:
    has_begun = False
    async with aclosing(backend.answer(job)) as events:
        async for event in events:
            if event["type"] == "TEXT_MESSAGE_CONTENT" and not has_begun:
                has_begun = True
                yield {
                    "type": "TEXT_MESSAGE_START",
                    "messageId": job.message_id,
                    "role": "assistant",
                }
            yield event
    if has_begun:
        yield {"type": "TEXT_MESSAGE_END", "messageId": job.message_id}
