"""A short name for a client from its User-Agent, so that people recognise their devices."""

_BROWSERS = (
    # Order matters: each of these also claims to be those below it.
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chromium/", "Chromium"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)
MAX_CHARS = 100


def name_from(user_agent: str) -> str:
    """``Firefox on Linux`` for a browser, the first word (``curl/8.5.0``) for a program."""
    browser = next((name for mark, name in _BROWSERS if mark in user_agent), None)
    system = next((name for mark, name in _SYSTEMS if mark in user_agent), None)
    if browser is None:
        return (user_agent.split() or ["Unnamed client"])[0][:MAX_CHARS]
    return f"{browser} on {system}" if system else browser
