"""Conversations: people, their messages in order, and the topic on which both are told at once."""
