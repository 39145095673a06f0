"""Validates the settings of an integration: what tickets get, and where they go."""
