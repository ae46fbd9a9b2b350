"""Wires client sessions and their channels into the core when Django starts."""

from importlib import import_module

from django.apps import AppConfig

from commsite.realtime.registry import Delivery, declare, route


class ClientsConfig(AppConfig):
    """Client sessions, tokens, preferences and live connections."""

    name = "commsite.clients"
    label = "clients"
    verbose_name = "Clients"

    def ready(self) -> None:
        """Serves the topics `client` and `user:<id>`, declares their events, starts to listen."""
        channel = import_module("commsite.clients.channel")
        import_module("commsite.clients.signals")
        import_module("commsite.clients.authentication")
        route("client", channel.ClientChannel)
        route("user", channel.UserChannel)
        declare("token_expiring", Delivery.MUST)
        declare("closing", Delivery.MUST)
        declare("preferences_changed", Delivery.STATE)
        import_module("commsite.clients.watch").start_listening()
