"""A small Jira over real HTTP: for the demo, for development and for tests."""

from integrations.jira.sandbox.server import Sandbox
from integrations.jira.sandbox.state import (
    CLOUD_ID,
    DEFAULT_API_TOKEN,
    DEFAULT_EMAIL,
    DEFAULT_SCOPED_TOKEN,
)

__all__ = [
    "CLOUD_ID",
    "DEFAULT_API_TOKEN",
    "DEFAULT_EMAIL",
    "DEFAULT_SCOPED_TOKEN",
    "Sandbox",
]
