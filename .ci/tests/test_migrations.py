"""Migrations can run while the previous release's servers do: nothing breaks them.

https://github.com/3YOURMIND/django-migration-linter/blob/main/docs/incompatibilities.md
"""

import pytest
from django.conf import settings
from django_migration_linter import MigrationLinter

OURS = ["integrations", "issues", "audit", "killthenoise"]
NOT_WHILE_RUNNING = [
    "0002_site_identity",
    "0002_rename_backlink",
    "0003_tickets_by_issue_id",
    "0004_identify_tickets",
    "0011_remote_link_of_a_group",
]
"""Older than version 1.0: docs/CHANGELOG.md says to stop the servers before it.

The last of them gives a table's name to a new table. No later change can serve both the
servers before it and those after it.
"""


@pytest.mark.django_db
def test_no_migration_breaks_the_previous_release() -> None:
    linter = MigrationLinter(
        str(settings.BASE_DIR),
        include_apps=OURS,
        ignore_name=NOT_WHILE_RUNNING,
        analyser_string="postgresql",
        no_cache=True,
    )

    linter.lint_all_migrations()
    linter.print_summary()

    assert not linter.has_errors
    assert linter.nb_total > len(NOT_WHILE_RUNNING)
