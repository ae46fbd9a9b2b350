"""``manage.py purge_attachments``: removes uploads that were not sent in time, and what was let go."""

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from conversation import attachments

BATCH = 500


class Command(BaseCommand):
    """Removes in batches until nothing is left to remove."""

    help = "Removes uploads that were not sent in time and files of deleted messages."

    def handle(self, *args: Any, **options: Any) -> None:
        """Says how many there were."""
        total = 0
        while removed := attachments.purge(timezone.now(), BATCH):
            total += removed
        self.stdout.write(f"{total} files removed.")
