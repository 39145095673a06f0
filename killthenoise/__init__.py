"""The project. This is the only place of its version."""

__version__ = "1.0.0"
