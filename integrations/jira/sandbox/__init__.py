"""A small Jira over real HTTP: for the demo, for development and for tests."""

from integrations.jira.sandbox.server import Sandbox
from integrations.jira.sandbox.state import DEFAULT_API_TOKEN, DEFAULT_EMAIL

__all__ = ["DEFAULT_API_TOKEN", "DEFAULT_EMAIL", "Sandbox"]
