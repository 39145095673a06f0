"""The admin pages of integrations."""

from integrations.admin import integrations

__all__ = ["integrations"]
