"""What leads into a conversation from the socket: its topics, its events, its own address."""

from typing import Any

from django.urls import URLPattern, path

from commsite.realtime import pubsub, registry
from commsite.realtime.hub import hub
from conversation import actions, queries
from conversation.channel import ConversationChannel
from conversation.consumers import ConversationConsumer
from conversation.models import Change

websocket_urlpatterns: list[URLPattern] = [
    path("ws/conversation/websocket", ConversationConsumer.as_asgi()),
]


def register() -> None:
    """Fill the core's registries; once, when the app is ready."""
    registry.route("conversation", ConversationChannel)
    registry.history("conversation", queries.missed_facts)
    for event in ("message_sent", *Change.Event.values):
        registry.declare(event, registry.Delivery.MUST)
    for event in ("conversation_added", "conversation_removed"):
        registry.declare(event, registry.Delivery.STATE)
    pubsub.on_control(actions.MEMBER_REMOVED_CONTROL, _take_topic_away)


def _take_topic_away(removed: dict[str, Any]) -> None:
    hub.eject(topic=removed["topic"], user_id=removed["user_id"])
