"""Brings database, static files and demo up to date in one process: starting Django costs time."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STAMP = ROOT / ".state" / "collected"


def main() -> None:
    """Migrates, collects static files when the build changed, and seeds the demo in development."""
    sys.path.insert(0, str(ROOT))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "commsite.settings")
    import django  # noqa: PLC0415 - needs the two lines above

    django.setup()
    from django.conf import settings  # noqa: PLC0415 - only after setup
    from django.core.management import call_command  # noqa: PLC0415 - only after setup

    call_command("migrate", verbosity=0, interactive=False)
    built = (ROOT / ".state" / "frontend").read_text() + (ROOT / "requirements.txt").read_text()
    if not (STAMP.exists() and STAMP.read_text() == built and Path(settings.STATIC_ROOT).is_dir()):
        call_command("collectstatic", verbosity=0, interactive=False)
        STAMP.write_text(built)
    if settings.DEBUG:
        call_command("seed")


main()
