"""The conversation app's own socket address: the same socket, with this app's topics only."""

from commsite.realtime.consumer import SocketConsumer


class ConversationConsumer(SocketConsumer):
    """Carries conversations, beside what every socket has."""

    kinds = frozenset({"conversation"})
