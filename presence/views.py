"""Presence over REST: who is on a topic now."""

from typing import TYPE_CHECKING

from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from commsite.clients.schema import Problem
from commsite.realtime.errors import PushError
from commsite.realtime.registry import visibility_of
from commsite.realtime.topic import Topic
from presence.tracking import from_thread, tracking

if TYPE_CHECKING:
    from presence.schema import TopicPresence

_ANSWER = inline_serializer(
    "TopicPresence",
    {
        "topic": serializers.CharField(),
        "count": serializers.IntegerField(help_text="People, however many devices they use."),
        "presences": serializers.DictField(
            child=serializers.DictField(),
            help_text='By user id: {"metas": [...]}; empty where there are too many to name.',
        ),
    },
)


class TopicPresenceView(APIView):
    """Who is on a topic."""

    @extend_schema(
        operation_id="presence_read",
        responses={200: _ANSWER, 401: Problem, 404: Problem},
    )
    def get(self, request: Request, topic: str) -> Response:
        """{"topic", "count", "presences"}; for those who may see the topic."""
        parsed = Topic.parse(topic)
        may_see = visibility_of(parsed.kind)
        if may_see is None:
            raise PushError("not_found", "There is no such topic.")
        may_see(int(request.user.pk or 0), parsed.id)
        nobody: TopicPresence = {"topic": topic, "count": 0, "presences": {}}
        return Response(from_thread(lambda: tracking.topic_presence(topic), nobody))
