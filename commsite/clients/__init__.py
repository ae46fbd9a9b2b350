"""Who is connected: client sessions and their tokens, preferences, live connections, revocation."""
