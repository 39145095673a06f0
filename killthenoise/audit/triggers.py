"""Database triggers that keep the table of audit events append-only.

The table's owner can drop them, so the application should connect as another role.
"""

from typing import Any

POSTGRESQL = (
    """
    CREATE FUNCTION audit_auditevent_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION '% refused: the audit is append-only', TG_OP
            USING ERRCODE = 'restrict_violation';
    END $$
    """,
    # For each statement, because TRUNCATE fires no row triggers.
    """
    CREATE TRIGGER audit_auditevent_append_only
        BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_auditevent
        FOR EACH STATEMENT EXECUTE FUNCTION audit_auditevent_refuse()
    """,
)
SQLITE = (
    """
    CREATE TRIGGER audit_auditevent_no_update BEFORE UPDATE ON audit_auditevent
    BEGIN SELECT RAISE(ABORT, 'UPDATE refused: the audit is append-only'); END
    """,
    """
    CREATE TRIGGER audit_auditevent_no_delete BEFORE DELETE ON audit_auditevent
    BEGIN SELECT RAISE(ABORT, 'DELETE refused: the audit is append-only'); END
    """,
    # INSERT OR REPLACE deletes without firing the trigger for deletions.
    """
    CREATE TRIGGER audit_auditevent_no_replace BEFORE INSERT ON audit_auditevent
    WHEN EXISTS (SELECT 1 FROM audit_auditevent WHERE id = NEW.id)
    BEGIN SELECT RAISE(ABORT, 'REPLACE refused: the audit is append-only'); END
    """,
)
GUARD = {"postgresql": POSTGRESQL, "sqlite": SQLITE}
"""Creates the triggers, by database vendor."""
LIFT = {
    "postgresql": ("DROP FUNCTION audit_auditevent_refuse CASCADE",),
    "sqlite": (
        "DROP TRIGGER audit_auditevent_no_update",
        "DROP TRIGGER audit_auditevent_no_delete",
        "DROP TRIGGER audit_auditevent_no_replace",
    ),
}
"""Drops the triggers, by database vendor."""


def guard(apps: Any, schema_editor: Any) -> None:
    """Create the triggers; the migration runs this."""
    for statement in GUARD[schema_editor.connection.vendor]:
        schema_editor.execute(statement, params=None)


def lift(apps: Any, schema_editor: Any) -> None:
    """Drop the triggers; reversing the migration runs this."""
    for statement in LIFT[schema_editor.connection.vendor]:
        schema_editor.execute(statement, params=None)
