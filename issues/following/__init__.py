"""Keeps linked tickets and Jira in step: status, remote links, recurrences."""
