"""A small Jira over real HTTP: for the demo, for development and for tests."""

from development.sandbox.server import Sandbox
from development.sandbox.state import (
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
