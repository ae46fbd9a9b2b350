"""Schema history of the conversation app."""
