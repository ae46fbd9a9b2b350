"""Commsite: one socket for everything that people and programs say to each other."""
