"""The site itself as a Django app: it owns the site-wide commands, checks and the admin's title."""

from importlib import import_module

from django.apps import AppConfig
from django.conf import settings


class CommsiteConfig(AppConfig):
    """First in INSTALLED_APPS, so that our ``runserver`` and ``serve`` win over others'."""

    name = "commsite"
    label = "commsite"
    verbose_name = "Commsite"

    def ready(self) -> None:
        """Register the system checks that refuse contradictory settings; serve the bench topics if asked to."""
        import_module("commsite.checks")
        if settings.REALTIME["BENCH"]:
            import_module("commsite.realtime.bench").install()
