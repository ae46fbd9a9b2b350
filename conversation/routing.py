"""What leads into a conversation from the socket: its topics, its events, its own address."""

from django.urls import URLPattern, path

from commsite.realtime import pubsub, registry
from commsite.realtime.hub import hub
from conversation import actions, queries
from conversation.channel import ConversationChannel, eject_strangers, take_topic_away
from conversation.consumers import ConversationConsumer
from conversation.models import Change
from presence import belonging

websocket_urlpatterns: list[URLPattern] = [
    path("ws/conversation/websocket", ConversationConsumer.as_asgi()),
]


def register() -> None:
    """Fill the core's registries; once, when the app is ready."""
    registry.route("conversation", ConversationChannel)
    registry.history("conversation", queries.missed_facts)
    registry.visible("conversation", queries.may_see)
    belonging.of("conversation", queries.member_ids)
    for event in ("message_sent", *Change.Event.values):
        registry.declare(event, registry.Delivery.MUST)
    registry.declare("membership_changed", registry.Delivery.STATE)
    pubsub.on_control(actions.MEMBER_REMOVED_CONTROL, take_topic_away)
    pubsub.on_gap(_recheck)


def _recheck() -> None:
    hub.spawn(eject_strangers())
