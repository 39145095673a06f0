"""Creates and updates groups that the clustering pipeline sends, one or many at a time.

A batch is one transaction, and its number of queries does not depend on its size. The
import locks each group whose reports it writes, so two imports of a group run one after
the other. It never changes or removes a ticket that was created or linked here.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import Any, Self, TypeVar
from uuid import UUID

from django.db import transaction
from django.db.models import F, Model
from django.utils import timezone

from issues.errors import GroupNotFound
from issues.following.outgoing_events import queue_recurrences
from issues.locking import repeatedly
from issues.models import AIIssueGroup, RemoteLink, Report, RuleRun, TicketRequest
from issues.outcomes import relink

GROUP_FIELDS = ["title", "summary", "severity", "status", "type", "tags", "team_id"]
GROUP_FIELDS += ["ai_type_confidence", "ai_type_reasoning", "created_at", "updated_at"]
REPORT_FIELDS = ["title", "url", "created_at"]
T = TypeVar("T", bound=Model)


class ImportOutcome(StrEnum):
    """What the import did with a group. It refuses the id of another tenant's group."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    REFUSED = "refused"


@dataclass(frozen=True, kw_only=True)
class GroupData:
    """A group as the pipeline sends it.

    If `created_at` is not in `fields`, or `reports` is None, the stored ones stay.
    """

    id: UUID
    tenant_id: UUID
    fields: Mapping[str, Any]
    reports: Sequence[Mapping[str, Any]] | None

    @classmethod
    def from_validated(cls, values: Mapping[str, Any]) -> Self:
        """Build it from the validated values of a serializer."""
        return cls(
            id=values["id"],
            tenant_id=values["tenant_id"],
            fields={name: values[name] for name in GROUP_FIELDS if name in values},
            reports=values.get("reports"),
        )

    def build_group(self) -> AIIssueGroup:
        """Build the group without saving it."""
        return AIIssueGroup(id=self.id, tenant_id=self.tenant_id, **self.fields)


@dataclass(frozen=True)
class ImportResult:
    """The outcome of each group of a batch, in order, and how many reports changed."""

    outcomes: Sequence[ImportOutcome]
    report_counts: Counter[str]


@dataclass
class _BatchWrites:
    """The rows of a batch that must be written.

    `former_keys` maps groups to the old keys of tickets that have a new key.
    """

    former_keys: Collection[tuple[UUID, str]]
    groups: list[AIIssueGroup] = field(default_factory=list)
    new_reports: list[Report] = field(default_factory=list)
    changed_reports: list[Report] = field(default_factory=list)
    removed_report_ids: list[UUID] = field(default_factory=list)
    unchanged_reports: int = 0

    def add_group(
        self,
        data: GroupData,
        group: AIIssueGroup,
        stored_reports: Sequence[Report],
        *,
        is_new: bool,
    ) -> ImportOutcome:
        """Collect what differs between `data` and the stored group and reports."""
        reports_differ = self._add_reports(group.pk, data.reports, stored_reports)
        fields_differ = _set_fields(group, data.fields)
        if is_new and not fields_differ:
            return ImportOutcome.CREATED
        if not (fields_differ or reports_differ):
            return ImportOutcome.UNCHANGED
        group.updated_at = data.fields.get("updated_at", timezone.now())
        self.groups.append(group)
        return ImportOutcome.UPDATED

    def _add_reports(
        self,
        group_id: UUID,
        sent: Sequence[Mapping[str, Any]] | None,
        stored: Sequence[Report],
    ) -> bool:
        """Collect the reports that differ, and return whether any does."""
        if sent is None:
            return False
        new = {
            (fields["source"], fields["external_id"]): fields
            for fields in sent
            if not self._is_former_key(group_id, fields)
        }
        unchanged = 0
        for report in stored:
            fields = new.pop((report.source, report.external_id), None)
            unchanged += not self._add_stored(report, fields)
        self.new_reports += [Report(group_id=group_id, **row) for row in new.values()]
        self.unchanged_reports += unchanged
        return unchanged < len(stored) or bool(new)

    def _is_former_key(self, group_id: UUID, fields: Mapping[str, Any]) -> bool:
        """Whether a report names a linked ticket by the key it had before a move."""
        is_ticket = fields["source"] == Report.JIRA
        return is_ticket and (group_id, fields["external_id"]) in self.former_keys

    def _add_stored(self, report: Report, fields: Mapping[str, Any] | None) -> bool:
        """Collect a stored report if it changes or is removed; return whether so."""
        if report.linked or (fields is None and report.source == Report.JIRA):
            return False
        if fields is None:
            self.removed_report_ids.append(report.pk)
            return True
        differs = _set_fields(report, fields)
        if differs:
            self.changed_reports.append(report)
        return differs

    def save(self) -> None:
        """Write all rows. Reports that were inserted in the meantime do not change."""
        _update(AIIssueGroup, self.groups, GROUP_FIELDS)
        if self.groups:
            changed = [group.pk for group in self.groups]
            RemoteLink.objects.filter(group__in=changed).touch()
        Report.objects.filter(pk__in=self.removed_report_ids).delete()
        _update(Report, self.changed_reports, REPORT_FIELDS)
        Report.objects.bulk_create(self.new_reports, ignore_conflicts=True)
        if self.new_reports:
            group_ids = {report.group_id for report in self.new_reports}
            queue_recurrences(Report.objects.filter(group__in=group_ids))

    def count_reports(self) -> Counter[str]:
        """Count the reports that are created, updated, removed and unchanged."""
        return Counter(
            created=len(self.new_reports),
            updated=len(self.changed_reports),
            removed=len(self.removed_report_ids),
            unchanged=self.unchanged_reports,
        )


def put_group(data: GroupData) -> ImportOutcome:
    """Create or update one group with its reports.

    Raises GroupNotFound if the id belongs to another tenant's group.
    """
    [outcome] = import_groups([data]).outcomes
    if outcome is ImportOutcome.REFUSED:
        raise GroupNotFound
    return outcome


def import_groups(batch: Sequence[GroupData]) -> ImportResult:
    """Create or update groups with their reports: the whole batch or nothing.

    No two groups of the batch may have the same id. If the pipeline sends no
    `updated_at`, it changes only when the group or one of its reports changes. It is
    repeated if it conflicts with another transaction, such as one that deletes the
    group.
    """
    return repeatedly(partial(_import_groups, batch))


@transaction.atomic
def _import_groups(batch: Sequence[GroupData]) -> ImportResult:
    new_ids = _insert_missing_groups(batch)
    groups = _lock_groups(batch)
    _relink_tickets(groups)
    reports = _get_reports_by_group(
        data.id for data in batch if data.reports is not None
    )
    writes = _BatchWrites(former_keys=_get_former_keys(groups))
    outcomes = [
        writes.add_group(data, group, reports[data.id], is_new=data.id in new_ids)
        if (group := groups.get(data.id))
        else ImportOutcome.REFUSED
        for data in batch
    ]
    writes.save()
    _have_rules_evaluated(batch, outcomes)
    return ImportResult(outcomes, writes.count_reports())


def _have_rules_evaluated(
    batch: Sequence[GroupData], outcomes: Sequence[ImportOutcome]
) -> None:
    """Schedule an evaluation of the rules of the tenants whose groups changed.

    This happens after the commit, so that imports do not wait for each other.
    """
    changing = (ImportOutcome.CREATED, ImportOutcome.UPDATED)
    pairs = zip(batch, outcomes, strict=True)
    tenant_ids = {data.tenant_id for data, outcome in pairs if outcome in changing}
    if tenant_ids:
        mark = partial(RuleRun.objects.mark_due, tenant_ids)
        transaction.on_commit(mark, robust=True)


def _insert_missing_groups(batch: Sequence[GroupData]) -> set[UUID]:
    """Insert the groups that do not exist yet, and return their ids.

    If another import inserts one of them at the same time, this waits, and the other
    import's row stays.
    """
    ids = [data.id for data in batch]
    existing = AIIssueGroup.objects.filter(pk__in=ids).values_list("pk", flat=True)
    missing = set(ids) - set(existing)
    rows = [data.build_group() for data in batch if data.id in missing]
    rows.sort(
        key=lambda row: row.pk
    )  # in the order of the locks, so that imports never deadlock
    AIIssueGroup.objects.bulk_create(rows, ignore_conflicts=True)
    return missing


def _lock_groups(batch: Sequence[GroupData]) -> dict[UUID, AIIssueGroup]:
    """Lock the groups, and return those that belong to the tenant that sends them."""
    tenant_ids = {data.id: data.tenant_id for data in batch}
    rows = AIIssueGroup.objects.filter(pk__in=tenant_ids).order_by("pk")
    locked = rows.select_for_update(no_key=True)
    return {row.pk: row for row in locked if row.tenant_id == tenant_ids[row.pk]}


def _get_reports_by_group(group_ids: Iterable[UUID]) -> dict[UUID, list[Report]]:
    """Return the stored reports by group."""
    by_group: defaultdict[UUID, list[Report]] = defaultdict(list)
    for report in Report.objects.filter(group__in=list(group_ids)):
        by_group[report.group_id].append(report)
    return by_group


def _relink_tickets(groups: Mapping[UUID, AIIssueGroup]) -> None:
    """Relink the tickets that groups lost when they were deleted."""
    created = TicketRequest.objects.created().filter(report=None, unlinked_at=None)
    for request in created.filter(group__in=groups.keys()):
        if request.tenant_id == groups[request.group_id].tenant_id:
            relink(request)


def _get_former_keys(group_ids: Iterable[UUID]) -> set[tuple[UUID, str]]:
    """Return the group and the former keys of each ticket that was moved in Jira."""
    ids = list(group_ids)
    created = TicketRequest.objects.created().filter(group__in=ids)
    moved = created.exclude(report=None).exclude(report__external_id=F("ticket_key"))
    former = set(moved.values_list("group_id", "ticket_key"))
    followed = Report.objects.filter(group__in=ids, ticket__isnull=False)
    keys = followed.exclude(ticket__former_keys=[])
    for group_id, names in keys.values_list("group_id", "ticket__former_keys"):
        former |= {(group_id, name) for name in names}
    return former


def _update(model: type[T], rows: Iterable[T], fields: Sequence[str]) -> None:
    """Update rows by an upsert; bulk_update would take fifty times as long."""
    model._default_manager.bulk_create(
        rows, update_conflicts=True, update_fields=fields, unique_fields=["id"]
    )


def _set_fields(row: Model, fields: Mapping[str, Any]) -> bool:
    """Set the fields that differ, and return whether any did."""
    changes = {name: new for name, new in fields.items() if getattr(row, name) != new}
    for name, value in changes.items():
        setattr(row, name, value)
    return bool(changes)
