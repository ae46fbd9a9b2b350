"""What presence remembers of a person between connections; who is here lives in the tracker alone."""

from django.conf import settings
from django.db import models

STATUS_TEXT_CHARS = 100
EMOJI_CHARS = 16
"""Some emoji are many code points long (a family, a flag)."""


class PersonStatus(models.Model):
    """The status line that a person has chosen, until it expires or is cleared."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="presence_status",
        primary_key=True,
    )
    text = models.CharField(max_length=STATUS_TEXT_CHARS, blank=True)
    emoji = models.CharField(max_length=EMOJI_CHARS, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    set_at = models.DateTimeField(auto_now=True)

    class Meta:
        """Its name in the admin."""

        verbose_name = "status line"
        verbose_name_plural = "presence: status lines"

    def __str__(self) -> str:
        return f"{self.emoji} {self.text}".strip()


class LastSeen(models.Model):
    """When a person was last here, to the second, as the others could see it. Nobody who opted out has one."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="last_seen",
        primary_key=True,
    )
    at = models.DateTimeField()

    class Meta:
        """Its name in the admin."""

        verbose_name = "last seen"
        verbose_name_plural = "presence: last seen"

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S}"
