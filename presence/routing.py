"""What leads into presence from the socket and from the core: its topic, its events, its address, its life."""

from django.urls import URLPattern, path

from commsite.realtime import pubsub, registry, telemetry
from presence import actions
from presence.channel import PresenceChannel, may_see_scope
from presence.consumers import PresenceConsumer
from presence.cursor_board import ASK, ASK_ALL, MOVED, board
from presence.link import GOSSIP
from presence.telling import COUNTS
from presence.tracker.rendering import DIFF, STATE
from presence.tracking import tracking

websocket_urlpatterns: list[URLPattern] = [
    path("ws/presence/websocket", PresenceConsumer.as_asgi()),
]


def register() -> None:
    """Fill the core's registries; once, when the app is ready."""
    registry.route("presence", PresenceChannel)
    registry.visible("presence", may_see_scope)
    # Must, and without a seq: a client that misses a diff is wrong for good, one that is too slow joins again.
    registry.declare(STATE, registry.Delivery.MUST)
    registry.declare(DIFF, registry.Delivery.MUST)
    registry.declare(COUNTS, registry.Delivery.MUST)
    pubsub.on_control(GOSSIP, tracking.on_gossip)
    pubsub.on_control(actions.STATUS_CONTROL, tracking.on_status)
    pubsub.on_control(actions.MANNER_CONTROL, tracking.on_manner)
    pubsub.on_control(actions.UNTRACK_CONTROL, tracking.on_untrack)
    pubsub.on_gap(tracking.on_gap)
    telemetry.subscribe("hub_started", tracking.start)
    telemetry.subscribe("hub_stopping", tracking.stop)
    telemetry.subscribe("ticked", tracking.end_statuses)
    telemetry.subscribe("socket_acted", tracking.on_acted)
    telemetry.subscribe("socket_closed", tracking.on_closed)
    registry.declare(MOVED, registry.Delivery.STATE)
    pubsub.on_control(ASK, board.on_asked)
    pubsub.on_control(ASK_ALL, board.on_asked_all)
    pubsub.on_gap(board.on_gap)
    pubsub.on_heard(MOVED, board.on_heard)
    tracking.follow(board.on_changed)
    telemetry.subscribe("hub_started", board.start)
    telemetry.subscribe("ticked", board.expire)
