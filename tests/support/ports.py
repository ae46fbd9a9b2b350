"""Free ports on the loopback address."""

import random
import socket

FIRST, BEYOND = 20_000, 32_000
"""Below those that the system gives to connections: a server that comes back finds its port as it left it."""
_chance = random.SystemRandom()


def free_port() -> int:
    """A port nobody listens on now. Whoever binds it must do so at once."""
    while True:
        port = _chance.randrange(FIRST, BEYOND)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
