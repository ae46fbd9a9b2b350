"""Presence over REST: who is on a topic now, and when the others were last here."""

from typing import TYPE_CHECKING

from drf_spectacular.utils import OpenApiParameter, extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from commsite.clients.schema import Problem
from commsite.realtime.errors import PushError
from presence import belonging, queries
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
            help_text='By user id: {"metas": [...]}; only oneself where there are too many to name.',
        ),
        "last_seen": serializers.DictField(
            child=serializers.DateTimeField(),
            help_text="By user id, of people who are not here: when they last were, as far as they let it be kept.",
        ),
    },
)
_USERS = OpenApiParameter(
    "users",
    str,
    description="User ids, separated by commas, 100 at most: only of these, also where there are too many to name.",
)


class TopicPresenceView(APIView):
    """Who is on a topic."""

    @extend_schema(
        operation_id="presence_read",
        parameters=[_USERS],
        responses={200: _ANSWER, 400: Problem, 401: Problem, 404: Problem},
    )
    def get(self, request: Request, topic: str) -> Response:
        """{"topic", "count", "presences", "last_seen"}; for those who may see the topic."""
        user_id = int(request.user.pk or 0)
        asked = _asked(request.query_params.get("users"))
        parsed = belonging.see(user_id, topic)
        keys = None if asked is None else [str(each) for each in asked]
        nobody: TopicPresence = {"topic": topic, "count": 0, "presences": {}}
        found = from_thread(lambda: tracking.topic_presence(topic, str(user_id), keys), nobody)
        wanted = belonging.people_of(parsed, asked)
        here = from_thread(lambda: tracking.who_is_on(topic, map(str, wanted)), set[str]())
        seen = queries.last_seen([each for each in wanted if str(each) not in here])
        last_seen = {str(each): at for each, at in seen.items()}
        return Response({**found, "last_seen": last_seen})


def _asked(users: str | None) -> list[int] | None:
    if users is None:
        return None
    ids = users.split(",")
    if len(ids) > belonging.MOST_ASKED or not all(id.isdecimal() and len(id) < 19 for id in ids):  # noqa: A001
        raise PushError(
            "bad_request", f"`users` is up to {belonging.MOST_ASKED} user ids, separated by commas."
        )
    return sorted({int(each) for each in ids})
