"""Tickets in a tenant's Jira: create, find, list, update."""
