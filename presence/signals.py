"""Follows what people choose about being seen, wherever their preferences are written."""

from typing import Any

from django.db.models.signals import post_save
from django.dispatch import receiver

from commsite.clients.models import Preferences
from presence import actions


@receiver(post_save, sender=Preferences)
def follow(sender: type[Preferences], instance: Preferences, *, raw: bool, **kwargs: Any) -> None:
    """In the writer's transaction: what must be forgotten is forgotten with it."""
    if not raw:
        actions.follow_preferences(instance.pk)
