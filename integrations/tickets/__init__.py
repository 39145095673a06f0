"""Tickets in a tenant's Jira: where they go, create, find, list, update."""
