"""The conversation app's own socket address: the same socket, with this app's topics only."""

from commsite.realtime.consumer import SocketConsumer


class ConversationConsumer(SocketConsumer):
    """Carries conversations and what every connection has: `client` and the user's own topic."""

    kinds = ("conversation", "client", "user")
