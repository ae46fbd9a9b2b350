"""The tables of client sessions, tickets, preferences and live connections."""
