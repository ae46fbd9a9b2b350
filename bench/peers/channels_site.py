"""Stock Django Channels: plain consumers on the in-memory layer, served by daphne or uvicorn."""

from __future__ import annotations

import django
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.urls import path

settings.configure(
    SECRET_KEY="bench",  # noqa: S106 - a benchmark server that holds nothing
    ALLOWED_HOSTS=["*"],
    INSTALLED_APPS=["channels"],
    CHANNEL_LAYERS={"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}},
    LOGGING_CONFIG=None,
    USE_TZ=True,
)
django.setup()


class FanoutConsumer(AsyncWebsocketConsumer):
    """Sends what arrives to the whole group, as the Channels tutorial does."""

    async def connect(self) -> None:
        """Join the group before the handshake is answered."""
        await self.channel_layer.group_add("bench", self.channel_name)
        await self.accept()

    async def disconnect(self, code: int) -> None:
        """Leave the group."""
        await self.channel_layer.group_discard("bench", self.channel_name)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Hand the text to the group."""
        await self.channel_layer.group_send("bench", {"type": "fan.out", "text": text_data})

    async def fan_out(self, event: dict[str, str]) -> None:
        """Send one group message to this client."""
        await self.send(text_data=event["text"])


class EchoConsumer(AsyncWebsocketConsumer):
    """Answers what arrives; its connect is the stock one and does nothing but accept."""

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Answer with the same text."""
        await self.send(text_data=text_data)


application = ProtocolTypeRouter(
    {
        "websocket": URLRouter(
            [path("msg", FanoutConsumer.as_asgi()), path("echo", EchoConsumer.as_asgi())]
        )
    }
)
