"""The presence app's own socket address: the same socket, with this app's topics only."""

from commsite.realtime.consumer import SocketConsumer


class PresenceConsumer(SocketConsumer):
    """Carries `presence:<scope>`, beside what every socket has."""

    kinds = frozenset({"presence"})
