"""Outgoing webhooks: tell other systems of a tenant what happened, signed."""
