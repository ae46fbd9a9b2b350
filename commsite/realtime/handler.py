"""Handlers: which method of a channel answers which event, and what its payload must be."""

from collections.abc import Callable
from typing import Any, NamedTuple

NO_REPLY: Any = object()
"""Returned by a handler that answers nothing."""


class Handler(NamedTuple):
    """How one event is handled: the method's name, the schema of its payload, and whether it is a coroutine."""

    method: str
    schema: type | None
    is_async: bool


def handles(
    event: str, schema: type | None = None
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Marks a method as the handler of `event`. Without a schema it gets the raw payload (JSON text or `Binary`).

    The method returns the response (a mapping, `msgspec.Raw` or `Binary`; None is the empty object, NO_REPLY none at
    all) or raises PushError.
    """

    def mark(method: Callable[..., Any]) -> Callable[..., Any]:
        method.handled = (event, schema)  # type: ignore[attr-defined]
        return method

    return mark
