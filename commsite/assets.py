"""How long browsers may keep what the front end's build has made."""

from collections.abc import MutableMapping

FOREVER = "max-age=315360000, public, immutable"


def keep_what_has_its_hash(headers: MutableMapping[str, str], path: str, url: str) -> None:
    """Vite names the files of this folder after their content: whoever has one need not ask again.

    ServeStatic's middleware has a test of its own, which knows Django's hashed names only and heeds
    no setting.
    """
    if url.startswith("/static/assets/"):
        headers["Cache-Control"] = FOREVER
