"""Addresses of the assistant's API, below `/api/v1/`."""

from django.urls import path

from conversation.assistant import views

_HERE = "conversations/<uuid:conversation_id>"
_RUN = f"{_HERE}/runs/<uuid:run_id>"
_MESSAGE = f"{_HERE}/messages/<uuid:message_id>"

urlpatterns = [
    path(f"{_HERE}/runs/", views.RunList.as_view(), name="api-runs"),
    path(f"{_RUN}/", views.RunDetail.as_view(), name="api-run"),
    path(f"{_RUN}/cancel/", views.RunCancel.as_view(), name="api-run-cancel"),
    path(f"{_RUN}/continue/", views.RunContinue.as_view(), name="api-run-continue"),
    path(
        f"{_RUN}/approvals/<str:tool_call_id>/",
        views.RunApproval.as_view(),
        name="api-run-approval",
    ),
    path(f"{_MESSAGE}/regenerate/", views.MessageRegenerate.as_view(), name="api-regenerate"),
    path(f"{_MESSAGE}/branches/", views.MessageBranches.as_view(), name="api-branches"),
    path(f"{_MESSAGE}/select/", views.MessageSelect.as_view(), name="api-select-branch"),
]
