"""What leads into a conversation from the socket: its topics, its events, its own address."""

from django.urls import URLPattern, path

from commsite.clients.actions import on_preferences
from commsite.clients.channel import on_user_join
from commsite.realtime import pubsub, registry, telemetry
from commsite.realtime.hub import hub
from conversation import actions, attention, hooks, queries, receipts, typing_notices
from conversation.channel import (
    ConversationChannel,
    eject_strangers,
    end_with_removal,
    take_topic_away,
)
from conversation.consumers import ConversationConsumer
from conversation.mark_writer import writer
from conversation.models import Change
from conversation.typing_notices import notices
from presence import belonging

CHANGES_UNREAD = ("message_sent", "message_edited", "message_deleted", "branch_selected")

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
    pubsub.on_going_out(Change.Event.MEMBER_REMOVED.value, end_with_removal)
    pubsub.on_control(actions.MEMBER_REMOVED_CONTROL, take_topic_away)
    pubsub.on_gap(_recheck)
    _register_attention()


def _register_attention() -> None:
    """Typing, receipts and unread counts: what they follow, what they add, and that they live with the hub."""
    registry.declare("typing_changed", registry.Delivery.EPHEMERAL)
    registry.declare("receipts_changed", registry.Delivery.STATE)
    registry.declare("unread_changed", registry.Delivery.STATE)
    hooks.on_message(attention.take_part)
    hooks.on_welcome(receipts.welcome_part)
    on_user_join(receipts.user_part)
    on_preferences(receipts.share)
    for event in CHANGES_UNREAD:
        pubsub.on_announced(event, writer.on_news)
    pubsub.on_control(typing_notices.CONTROL, notices.on_control)
    pubsub.on_stop(writer.finish)
    telemetry.subscribe("hub_started", notices.start)
    telemetry.subscribe("hub_started", writer.start)
    telemetry.subscribe("hub_stopping", notices.stop)
    telemetry.subscribe("ticked", notices.on_tick)


def _recheck() -> None:
    hub.spawn(eject_strangers())
