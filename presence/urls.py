"""Addresses of the presence API, below `/api/v1/`."""

from django.urls import path

from presence.views import TopicPresenceView

urlpatterns = [
    path("presence/<str:topic>/", TopicPresenceView.as_view(), name="api-presence"),
]
