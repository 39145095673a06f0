"""Outgoing webhooks: signed requests that tell a tenant's systems what happened."""
