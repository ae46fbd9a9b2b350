"""The assistant as a Django app, within the conversation's."""

from importlib import import_module

from django.apps import AppConfig


class AssistantConfig(AppConfig):
    """Answers in conversations."""

    name = "conversation.assistant"
    label = "assistant"
    verbose_name = "Assistant"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Tell the core and the conversation what runs need; models exist from here on."""
        import_module("conversation.assistant.registration").register()
        import_module("conversation.assistant.conversation_tools").register()
