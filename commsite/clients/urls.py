"""Addresses of the clients' REST side, below ``/api/v1/``."""

from django.urls import path

from commsite.clients import views

urlpatterns = [
    path("token/", views.IssueToken.as_view(), name="token"),
    path("token/refresh/", views.RefreshToken.as_view(), name="token-refresh"),
    path("token/verify/", views.VerifyToken.as_view(), name="token-verify"),
    path("token/revoke/", views.RevokeToken.as_view(), name="token-revoke"),
    path("token/ticket/", views.IssueTicket.as_view(), name="token-ticket"),
    path("sessions/", views.Sessions.as_view(), name="sessions"),
    path("sessions/<uuid:pk>/", views.OneSession.as_view(), name="session"),
    path("preferences/", views.MyPreferences.as_view(), name="preferences"),
]
