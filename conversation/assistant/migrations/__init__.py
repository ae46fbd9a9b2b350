"""Schema history of the assistant's tables."""
