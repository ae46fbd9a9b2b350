"""Conversation as a Django app."""

from importlib import import_module

from django.apps import AppConfig


class ConversationConfig(AppConfig):
    """Serves the topic kind `conversation`."""

    name = "conversation"
    verbose_name = "Conversations"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Tell the core which topics, histories and events are ours; models exist from here on."""
        import_module("conversation.routing").register()
