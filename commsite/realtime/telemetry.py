"""The named measuring points: counters, gauges and facts that others listen to. Nothing here does I/O.

Counters are plain integers so that the hot path pays a dictionary look-up and no lock; whoever publishes them
(`commsite.operations`) reads them when asked.
"""

import logging
from collections import defaultdict
from collections.abc import Callable
from typing import Any

logger = logging.getLogger(__name__)

Labels = tuple[tuple[str, str], ...]

counters: dict[tuple[str, Labels], int] = defaultdict(int)
gauges: dict[str, Callable[[], float]] = {}
_handlers: dict[str, list[Callable[..., None]]] = defaultdict(list)


def count(name: str, n: int = 1, **labels: str) -> None:
    """Adds `n` to the counter `name` with these labels."""
    counters[name, tuple(sorted(labels.items()))] += n


def gauge(name: str, read: Callable[[], float]) -> None:
    """Names a value that is read when metrics are asked for. A later call with the same name replaces it."""
    gauges[name] = read


def subscribe(point: str, handler: Callable[..., None]) -> None:
    """Calls `handler(**facts)` on the event loop whenever `point` is emitted; the handler must not block."""
    _handlers[point].append(handler)


def emit(point: str, **facts: Any) -> None:
    """Tells the subscribers of `point`. A subscriber that fails is logged and hurts nobody else."""
    for handler in _handlers.get(point, ()):
        try:
            handler(**facts)
        except Exception:
            logger.exception("a subscriber of %s failed", point)
