"""The channel layer as a thing that can be thrown away, with the one that the site uses."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import TYPE_CHECKING

from channels.layers import channel_layers

from commsite.realtime.layer import close_layer, fresh_layer

if TYPE_CHECKING:
    import pytest
    from pytest_django.fixtures import Settings

OURS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": ["redis://127.0.0.1:1/0"]},
    }
}


async def test_a_layer_that_was_thrown_away_is_kept_by_nobody(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An outage of an hour makes thousands of them."""
    settings.CHANNEL_LAYERS = OURS
    monkeypatch.setattr(channel_layers, "backends", {})
    loop = asyncio.get_running_loop()
    close = loop.close
    old = fresh_layer()
    assert old.channels == {}  # as with any use, it now has a part for this loop
    await close_layer(old, 1.0)
    fresh_layer()

    assert loop.close == close
    gone = weakref.ref(old)
    del old
    gc.collect()
    assert gone() is None
