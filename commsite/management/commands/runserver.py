"""`manage.py runserver`: development on daphne, with our transport."""

from typing import Any

from daphne.management.commands.runserver import Command as DaphneCommand

from commsite.server.daphne_server import SiteServer


class Command(DaphneCommand):
    """daphne's runserver with the site's server."""

    server_cls: Any = SiteServer
