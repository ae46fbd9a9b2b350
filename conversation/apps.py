"""Conversation as a Django app."""

from importlib import import_module
from typing import Any

from django.apps import AppConfig
from django.db import connections
from django.db.models.signals import post_migrate


class ConversationConfig(AppConfig):
    """Serves the topic kind `conversation`."""

    name = "conversation"
    verbose_name = "Conversations"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Tell the core which topics, histories and events are ours; models exist from here on."""
        import_module("conversation.routing").register()
        post_migrate.connect(_complete_search, sender=self)


def _complete_search(using: str, **_: Any) -> None:
    """SQLite changes a table by making it anew, without its triggers."""
    if connections[using].vendor == "sqlite":
        import_module("conversation.search_index").ensure(using)
