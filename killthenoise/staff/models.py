"""Limits of staff to some tenants, and roles."""

from typing import Any
from uuid import UUID

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, Group, User
from django.core.exceptions import ValidationError
from django.db import models

from killthenoise.api.authentication import parse_uuid

Tenants = frozenset[UUID] | None
"""The tenants that somebody may see; None for all."""


def validate_tenant_ids(tenant_ids: Any) -> None:
    """Raise ValidationError unless this is a list of UUIDs."""
    is_list = isinstance(tenant_ids, list)
    if not is_list or not all(parse_uuid(str(one)) for one in tenant_ids):
        raise ValidationError("Enter the UUIDs of the tenants, one per line.")


class TenantLimit(models.Model):
    """The tenants that a member of the staff may see, instead of all of them.

    With an empty list, they see the rows of no tenant.
    """

    user = models.OneToOneField(
        User, on_delete=models.CASCADE, primary_key=True, related_name="tenant_limit"
    )
    tenant_ids = models.JSONField(
        "tenant IDs", default=list, blank=True, validators=[validate_tenant_ids]
    )

    def __str__(self) -> str:
        return f"limit to {', '.join(self.tenant_ids) or 'no tenant'}"


class Role(Group):
    """Django's group of users. Here, “group” is a group of customer feedback."""

    class Meta:
        proxy = True
        verbose_name = "role"


def get_tenants(user: AbstractBaseUser | AnonymousUser) -> Tenants:
    """Return the tenants that the user may see. This queries the database once."""
    known = vars(user)
    if "seen_tenants" not in known:
        known["seen_tenants"] = _read_tenants(user)
    tenants: Tenants = known["seen_tenants"]
    return tenants


def _read_tenants(user: AbstractBaseUser | AnonymousUser) -> Tenants:
    if getattr(user, "is_superuser", False):
        return None
    limit = TenantLimit.objects.filter(user=user.pk).first()
    return frozenset(UUID(one) for one in limit.tenant_ids) if limit else None
