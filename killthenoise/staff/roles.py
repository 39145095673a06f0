"""The roles that come with the product, and what each permits."""

from typing import Any

AUDITOR = (
    "view_auditevent",
    "view_aiissuegroup",
    "view_remotelink",
    "view_report",
    "view_rulerun",
    "view_ticketjob",
    "view_ticketrequest",
)
OPERATOR = (*AUDITOR, "change_ticketrequest")
INTEGRATOR = (
    "add_integration",
    "change_integration",
    "view_integration",
    "view_rulerun",
    "add_webhookendpoint",
    "change_webhookendpoint",
    "view_webhookendpoint",
    "view_webhookdelivery",
)
ROLES = {"auditor": AUDITOR, "operator": OPERATOR, "integrator": INTEGRATOR}
"""The codenames of permissions, by the name of the role."""


def create_roles(apps: Any) -> None:
    """Create missing roles, and grant all roles their permissions."""
    groups = apps.get_model("auth", "Group").objects
    permissions = apps.get_model("auth", "Permission").objects
    for name, codenames in ROLES.items():
        role, _ = groups.get_or_create(name=name)
        role.permissions.add(*permissions.filter(codename__in=codenames))
