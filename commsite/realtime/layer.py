"""The channel layer as a thing that can be thrown away: its links may be dead, and its locks held for ever."""

import asyncio
import contextlib
from typing import Any

from channels.layers import DEFAULT_CHANNEL_LAYER, channel_layers


def fresh_layer() -> Any:
    """A channel layer that shares nothing with the one before, and takes its place. Whoever asks for it closes it."""
    layer = channel_layers.make_backend(DEFAULT_CHANNEL_LAYER)
    begin = getattr(type(layer), "_get_layer", None)
    if begin is not None:
        # channels_redis wraps the loop's `close` for each layer, and no wrapping is ever undone: all layers of a long
        # outage would be kept, and the loop could not be closed for recursion.
        loop: Any = asyncio.get_running_loop()
        close = loop.close
        begin(layer)
        loop.close = close
    channel_layers.set(DEFAULT_CHANNEL_LAYER, layer)
    return layer


async def close_layer(layer: Any, patience_s: float) -> None:
    """Closes a layer's links if it can and it does not take too long; never raises."""
    flush = getattr(layer, "flush", None)
    if flush is not None:
        with contextlib.suppress(Exception):
            async with asyncio.timeout(patience_s):
                await flush()


def links_of(layer: Any) -> int:
    """The connections to Redis that a layer holds. From any thread."""
    # What it hands on to is asked, one for each loop: itself would look for a running one.
    pools = [
        redis.connection_pool
        for each in list(vars(layer).get("_layers", {}).values())
        for shard in getattr(each, "_shards", ())
        if (redis := getattr(shard, "_redis", None)) is not None
    ]
    return sum(len(getattr(pool, "_in_use_connections", ())) for pool in pools)
