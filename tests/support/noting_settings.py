"""The site's own settings and one more app: DJANGO_SETTINGS_MODULE of a site whose assistant can write notes."""

from commsite.settings import *  # noqa: F403
from commsite.settings import INSTALLED_APPS as SITE_APPS

INSTALLED_APPS = [*SITE_APPS, "tests.support.noting.Noting"]
