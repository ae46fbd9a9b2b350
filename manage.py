#!/usr/bin/env python
"""Run an administrative command of the site: ``python manage.py <command>``."""

import os
import sys

from django.core.management import execute_from_command_line


def main() -> None:
    """Run the command named on the command line with the site's settings."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "commsite.settings")
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
