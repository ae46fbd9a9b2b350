"""Addresses of the conversation API, below `/api/v1/`."""

from django.urls import path

from conversation import views

urlpatterns = [
    path("conversations/", views.ConversationList.as_view(), name="api-conversations"),
    path(
        "conversations/<uuid:conversation_id>/",
        views.ConversationDetail.as_view(),
        name="api-conversation",
    ),
    path(
        "conversations/<uuid:conversation_id>/members/",
        views.MemberList.as_view(),
        name="api-members",
    ),
    path(
        "conversations/<uuid:conversation_id>/members/<int:user_id>/",
        views.MemberDetail.as_view(),
        name="api-member",
    ),
    path(
        "conversations/<uuid:conversation_id>/messages/",
        views.MessageList.as_view(),
        name="api-messages",
    ),
]
