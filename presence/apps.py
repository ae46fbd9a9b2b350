"""Presence as a Django app."""

from importlib import import_module

from django.apps import AppConfig
from django.conf import settings


class PresenceConfig(AppConfig):
    """Serves the topic kind `presence`, and the presence of people on the topics of rooms."""

    name = "presence"
    verbose_name = "Presence"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Tell the core which topics and events are ours, start with the hub; serve the bench's crowds if asked to."""
        import_module("presence.checks")
        import_module("presence.signals")
        import_module("presence.routing").register()
        if settings.REALTIME["BENCH"]:
            import_module("presence.bench").install()
