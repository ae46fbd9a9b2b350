"""Free ports on the loopback address."""

import socket


def free_port() -> int:
    """A port nobody listens on now. Whoever binds it must do so at once."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
