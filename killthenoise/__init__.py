"""The project. Its version stands here only."""

__version__ = "1.0.0"
