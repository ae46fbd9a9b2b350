"""Addresses of the conversation API, below `/api/v1/`."""

from django.urls import path

from conversation import attachment_views, attention_views, message_views, search_views, views
from conversation.export_views import ExportConversation

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
        message_views.MessageList.as_view(),
        name="api-messages",
    ),
    path(
        "conversations/<uuid:conversation_id>/messages/<uuid:message_id>/",
        message_views.MessageDetail.as_view(),
        name="api-message",
    ),
    path(
        "conversations/<uuid:conversation_id>/messages/<uuid:message_id>/reactions/",
        message_views.ReactionList.as_view(),
        name="api-reactions",
    ),
    path(
        "conversations/<uuid:conversation_id>/messages/<uuid:message_id>/reactions/<str:emoji>/",
        message_views.ReactionDetail.as_view(),
        name="api-reaction",
    ),
    path(
        "conversations/<uuid:conversation_id>/messages/<uuid:message_id>/pin/",
        message_views.PinDetail.as_view(),
        name="api-pin",
    ),
    path(
        "conversations/<uuid:conversation_id>/pins/",
        message_views.PinsOfConversation.as_view(),
        name="api-pins",
    ),
    path(
        "conversations/<uuid:conversation_id>/typing/",
        attention_views.Typing.as_view(),
        name="api-typing",
    ),
    path(
        "conversations/<uuid:conversation_id>/receipts/",
        attention_views.Receipts.as_view(),
        name="api-receipts",
    ),
    path(
        "conversations/<uuid:conversation_id>/read/",
        attention_views.Read.as_view(),
        name="api-read",
    ),
    path(
        "conversations/<uuid:conversation_id>/delivered/",
        attention_views.Delivered.as_view(),
        name="api-delivered",
    ),
    path(
        "conversations/<uuid:conversation_id>/export/",
        ExportConversation.as_view(),
        name="api-conversation-export",
    ),
    path("search/", search_views.SearchAll.as_view(), name="api-search"),
    path(
        "conversations/<uuid:conversation_id>/search/",
        search_views.SearchConversation.as_view(),
        name="api-conversation-search",
    ),
    path(
        "conversations/<uuid:conversation_id>/attachments/",
        attachment_views.AttachmentList.as_view(),
        name="api-attachments",
    ),
    path(
        "conversations/<uuid:conversation_id>/attachments/<uuid:attachment_id>/",
        attachment_views.AttachmentDetail.as_view(),
        name="api-attachment",
    ),
]
