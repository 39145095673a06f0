"""Tickets for the groups that match a rule."""
