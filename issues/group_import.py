"""Groups from the clustering pipeline: one or many, in bulk, and again without harm.

A batch is one transaction with as many queries for many groups as for one. Whoever
writes a group's reports here holds the group's lock, so two imports of a group follow
one another. A ticket that was created or linked here is never changed nor removed.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Model
from django.utils import timezone

from issues.errors import GroupNotFound
from issues.models import AIIssueGroup, Report

GROUP_FIELDS = ["title", "summary", "severity", "status", "type", "tags", "team_id"]
GROUP_FIELDS += ["ai_type_confidence", "ai_type_reasoning", "created_at", "updated_at"]
REPORT_FIELDS = ["title", "url", "created_at"]


class Outcome(StrEnum):
    """What came of a group. It is refused if its id is another tenant's group."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    REFUSED = "refused"


@dataclass(frozen=True, kw_only=True)
class GroupData:
    """A group as the pipeline sends it; `created_at` and `reports` left out stay."""

    id: UUID
    tenant_id: UUID
    fields: Mapping[str, Any]
    reports: Sequence[Mapping[str, Any]] | None

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "GroupData":
        """Take a serializer's validated values."""
        return cls(
            id=values["id"],
            tenant_id=values["tenant_id"],
            fields={name: values[name] for name in GROUP_FIELDS if name in values},
            reports=values.get("reports"),
        )

    def as_new(self) -> AIIssueGroup:
        """Make the group, not saved."""
        return AIIssueGroup(id=self.id, tenant_id=self.tenant_id, **self.fields)


@dataclass(frozen=True)
class ImportResult:
    """What came of a batch: of each of its groups, in order, and of the reports."""

    outcomes: Sequence[Outcome]
    reports: Counter[str]


@dataclass
class _Changes:
    """The rows of a batch that have to be written."""

    groups: list[AIIssueGroup] = field(default_factory=list)
    created: list[Report] = field(default_factory=list)
    updated: list[Report] = field(default_factory=list)
    removed: list[UUID] = field(default_factory=list)
    unchanged: int = 0

    def add_group(
        self,
        incoming: GroupData,
        group: AIIssueGroup,
        reports: Sequence[Report],
        *,
        is_new: bool,
    ) -> Outcome:
        """Gather what differs from what is stored of the group and its reports."""
        news = self._add_reports(group.pk, incoming.reports, reports)
        differs = _assign(group, incoming.fields)
        if not differs and (is_new or not news):
            return Outcome.CREATED if is_new else Outcome.UNCHANGED
        group.updated_at = incoming.fields.get("updated_at", timezone.now())
        self.groups.append(group)
        return Outcome.UPDATED

    def _add_reports(
        self,
        group_id: UUID,
        wanted: Sequence[Mapping[str, Any]] | None,
        stored: Sequence[Report],
    ) -> bool:
        """Gather what differs, and return whether anything does."""
        if wanted is None:
            return False
        named = {(one["source"], one["external_id"]): one for one in wanted}
        kept = 0
        for report in stored:
            fields = named.pop((report.source, report.external_id), None)
            kept += not self._add_report(report, fields)
        self.created += [Report(group_id=group_id, **new) for new in named.values()]
        self.unchanged += kept
        return kept < len(stored) or bool(named)

    def _add_report(self, report: Report, fields: Mapping[str, Any] | None) -> bool:
        """Gather a stored report if it is to change, or to go; whether it is."""
        if report.linked or (fields is None and report.source == Report.JIRA):
            return False
        if fields is None:
            self.removed.append(report.pk)
            return True
        differs = _assign(report, fields)
        if differs:
            self.updated.append(report)
        return differs

    def write(self) -> None:
        """Write all of it; a report that was linked since it was looked for stays."""
        # Upserts of rows that are there: bulk_update takes fifty times as long.
        AIIssueGroup.objects.bulk_create(
            self.groups,
            update_conflicts=True,
            update_fields=GROUP_FIELDS,
            unique_fields=["id"],
        )
        Report.objects.filter(pk__in=self.removed).delete()
        Report.objects.bulk_create(
            self.updated,
            update_conflicts=True,
            update_fields=REPORT_FIELDS,
            unique_fields=["id"],
        )
        Report.objects.bulk_create(self.created, ignore_conflicts=True)

    def count_reports(self) -> Counter[str]:
        """How many reports there are of each kind."""
        return Counter(
            created=len(self.created),
            updated=len(self.updated),
            removed=len(self.removed),
            unchanged=self.unchanged,
        )


def put_group(incoming: GroupData) -> Outcome:
    """Create or update one group with its reports.

    Raises GroupNotFound where the id is another tenant's.
    """
    [outcome] = import_groups([incoming]).outcomes
    if outcome is Outcome.REFUSED:
        raise GroupNotFound
    return outcome


@transaction.atomic
def import_groups(batch: Sequence[GroupData]) -> ImportResult:
    """Create or update groups of different ids with their reports: all, or none.

    A group's `updated_at`, where the pipeline sends none, moves only if something of
    the group or of its reports changes.
    """
    new = _insert_missing(batch)
    groups = _lock(batch)
    reports = _reports_of(one.id for one in batch if one.reports is not None)
    changes = _Changes()
    outcomes = [
        changes.add_group(one, group, reports[one.id], is_new=one.id in new)
        if (group := groups.get(one.id))
        else Outcome.REFUSED
        for one in batch
    ]
    changes.write()
    return ImportResult(outcomes, changes.count_reports())


def _insert_missing(batch: Sequence[GroupData]) -> set[UUID]:
    """Insert the groups whose ids are unknown, and return these ids.

    Another import may insert the same ones now: then this waits, and theirs stays.
    """
    ids = [one.id for one in batch]
    found = AIIssueGroup.objects.filter(pk__in=ids).values_list("pk", flat=True)
    missing = set(ids) - set(found)
    # In order, like the locks after, so that two imports never wait for each other.
    rows = sorted((one for one in batch if one.id in missing), key=lambda one: one.id)
    AIIssueGroup.objects.bulk_create(
        [row.as_new() for row in rows], ignore_conflicts=True
    )
    return missing


def _lock(batch: Sequence[GroupData]) -> dict[UUID, AIIssueGroup]:
    """Lock the groups, and return those that are their tenant's."""
    owners = {one.id: one.tenant_id for one in batch}
    rows = AIIssueGroup.objects.filter(pk__in=owners).order_by("pk")
    locked = rows.select_for_update(no_key=True)
    return {row.pk: row for row in locked if row.tenant_id == owners[row.pk]}


def _reports_of(group_ids: Iterable[UUID]) -> dict[UUID, list[Report]]:
    """Return what is stored of the groups' reports.

    Those from Jira are locked: a person may link or unlink them without the group's
    lock.
    """
    by_group: defaultdict[UUID, list[Report]] = defaultdict(list)
    rows = Report.objects.filter(group__in=list(group_ids))
    tickets = rows.jira().select_for_update(no_key=True).order_by("pk")
    for report in (*tickets, *rows.exclude(source=Report.JIRA)):
        by_group[report.group_id].append(report)
    return by_group


def _assign(row: Model, fields: Mapping[str, Any]) -> bool:
    """Give the row the values that it lacks, and return whether it lacked any."""
    lacking = {name: new for name, new in fields.items() if getattr(row, name) != new}
    for name, value in lacking.items():
        setattr(row, name, value)
    return bool(lacking)
