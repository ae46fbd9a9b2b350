"""Wires client sessions and their channels into the core when Django starts."""

from django.apps import AppConfig


class ClientsConfig(AppConfig):
    """Client sessions, tokens, preferences and live connections."""

    name = "commsite.clients"
    label = "clients"
    verbose_name = "Clients"
