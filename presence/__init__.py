"""Presence: who is here, with what, doing what. A service to the rooms."""
