"""Importing groups from a file of JSON lines."""

import json
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from issues.locking import lock_group
from issues.management.commands import import_groups
from issues.models import AIIssueGroup, Report
from issues.tests.database_failures import database_down
from issues.tests.factories import GroupFactory

TENANT = UUID("550e8400-e29b-41d4-a716-446655440000")
pytestmark = pytest.mark.django_db


def line(number: int = 0, **changes: Any) -> dict[str, Any]:
    """Return a valid line. The same number always gives the same group."""
    report = {"source": "slack", "external_id": f"C01-{number}", "title": "Empty"}
    group = {"id": str(uuid5(TENANT, str(number))), "tenant_id": str(TENANT)}
    return group | {"title": f"Case {number}", "reports": [report]} | changes


def run(path: Path, lines: Sequence[Any]) -> tuple[str, str]:
    """Import the lines, and return standard output and standard error."""
    texts = [
        item if isinstance(item, bytes) else json.dumps(item).encode() for item in lines
    ]
    path.write_bytes(b"\n".join(texts))
    out, err = StringIO(), StringIO()
    try:
        call_command("import_groups", str(path), stdout=out, stderr=err)
    except CommandError as exc:
        err.write(f"{exc} ({exc.returncode})")
    return out.getvalue(), err.getvalue()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "groups.jsonl"


def test_groups_are_created_then_unchanged_then_updated(file: Path) -> None:
    lines = [line(number) for number in range(3)]

    first, _ = run(file, lines)
    second, _ = run(file, lines)
    third, err = run(file, [line(0, title="Other"), line(1, reports=[]), line(2)])

    assert first.splitlines() == [
        "Groups: 3 created, 0 updated, 0 unchanged, 0 refused.",
        "Reports: 3 created, 0 updated, 0 removed, 0 unchanged.",
    ]
    assert second.splitlines() == [
        "Groups: 0 created, 0 updated, 3 unchanged, 0 refused.",
        "Reports: 0 created, 0 updated, 0 removed, 3 unchanged.",
    ]
    assert third.splitlines() == [
        "Groups: 0 created, 2 updated, 1 unchanged, 0 refused.",
        "Reports: 0 created, 0 updated, 1 removed, 2 unchanged.",
    ]
    assert err == ""
    assert AIIssueGroup.objects.filter(tenant_id=TENANT).count() == 3


def test_importing_the_same_file_again_writes_nothing(file: Path) -> None:
    lines = [line(number) for number in range(20)]
    run(file, lines)

    with CaptureQueriesContext(connection) as queries:
        run(file, lines)

    assert {query["sql"].split()[0] for query in queries} <= {
        "SELECT",
        "SAVEPOINT",
        "RELEASE",
    }


def test_batch_takes_a_constant_number_of_queries(
    file: Path,
) -> None:
    counts = []
    for start, size in ((0, 2), (100, 60)):
        numbers = range(start, start + size)
        with CaptureQueriesContext(connection) as queries:
            run(file, [line(number) for number in numbers])
            run(file, [line(number, title="x", reports=[]) for number in numbers])
        counts.append(len(queries))

    assert counts[0] == counts[1] <= 20


def test_refused_lines_are_listed_and_the_others_are_imported(file: Path) -> None:
    foreign = GroupFactory.create()
    huge = b'{"title": "' + b"x" * 1024 * 1024 + b'"}'
    lines = [
        line(1),
        line(2, title=""),
        b"{",
        b"[1]",
        b"",
        b'{"title": NaN}',
        b'{"title": "x", "title": "y"}',
        b"\xff\xfe",
        huge,
        line(3, id=str(foreign.pk)),
        line(4, reports=[{"source": "slack"}]),
        b"[" * 100_000,
        line(5, tenant_id=None),
        b"\xef\xbb\xbf" + json.dumps(line(6)).encode() + b"\r",
    ]

    out, err = run(file, lines)

    errors = [text.split(": ", 1) for text in err.splitlines()]
    assert [place for place, _ in errors] == [
        *(f"Line {n}" for n in (2, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13)),
        "Refused lines",
    ]
    messages = dict(errors)
    assert messages["Line 2"] == "title: The title is empty. Enter a title."
    assert "not valid JSON" in messages["Line 3"]
    assert messages["Line 4"] == "The line must be a JSON object."
    assert "longer than 1 MiB" in messages["Line 9"]
    assert "another tenant" in messages["Line 10"]
    assert messages["Line 11"] == (
        "reports.0.external_id: Enter a report's external id."
    )
    assert messages["Line 13"].startswith("tenant_id: ")
    assert messages["Refused lines"].endswith("(1)")
    assert "2 created, 0 updated, 0 unchanged, 11 refused" in out
    titles = AIIssueGroup.objects.values_list("title", flat=True)
    assert set(titles) == {"Case 1", "Case 6", foreign.title}
    assert Report.objects.count() == 2


def test_last_line_of_a_repeated_group_wins(file: Path) -> None:
    out, _ = run(file, [line(1), line(2), line(1, title="Later", reports=[])])

    assert "2 created, 1 updated" in out
    assert AIIssueGroup.objects.get(pk=line(1)["id"]).title == "Later"
    assert Report.objects.count() == 1


def test_batch_that_the_database_rejects_is_reported_and_not_imported(
    file: Path, transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_groups, "BATCH_LINES", 2)
    run(file, [line(0), line(1)])

    with database_down('INTO "issues_report"'):
        _, err = run(file, [line(number) for number in range(5)])

    assert "failed at lines 3 to 4" in err
    assert AIIssueGroup.objects.count() == 2


def test_import_waits_for_an_uncommitted_link(
    file: Path, transactional_db: None
) -> None:
    report = {"source": "jira", "external_id": "SCRUM-1", "title": "Before"}
    run(file, [line(1, reports=[report])])

    def import_again() -> None:
        with closing(connection):
            run(file, [line(1, reports=[report | {"title": "After"}])])

    with ThreadPoolExecutor() as pool:
        with transaction.atomic():
            lock_group(
                tenant_id=AIIssueGroup.objects.get().tenant_id,
                group_id=AIIssueGroup.objects.get().pk,
            )  # as a link does
            Report.objects.update(linked=True)
            importing = pool.submit(import_again)
            with pytest.raises(TimeoutError):
                importing.result(timeout=0.5)
        importing.result()

    assert Report.objects.get().title == "Before"


def test_standard_input_can_be_imported(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text(json.dumps(line(1)))
    out = StringIO()

    with file.open() as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        call_command("import_groups", "-", stdout=out)

    assert "1 created" in out.getvalue()


def test_unreadable_file_is_reported(file: Path) -> None:
    with pytest.raises(CommandError, match=r"Cannot read .*: No such file"):
        call_command("import_groups", str(file))


def test_lines_are_read_in_batches(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_groups, "BATCH_LINES", 3)
    file.write_text("\n".join(json.dumps(line(number)) for number in range(10)))

    with file.open("rb") as stream:
        sizes = [len(batch) for batch in import_groups.read_batches(stream)]

    assert sizes == [3, 3, 3, 1]


@pytest.mark.parametrize(
    "blank",
    [
        *(b"\xef\xbb\xbf", b"\xef\xbb\xbf \t\r", b" \xef\xbb\xbf", b"  \r", b""),
        *(b"\xef\xbb\xbf\xef\xbb\xbf", b" \xc2\xa0", b"\xe2\x80\x8b"),
    ],
)
def test_blank_line_is_skipped_even_with_a_byte_order_mark(
    file: Path, blank: bytes
) -> None:
    out, err = run(file, [blank, line(1), blank])

    assert "1 created, 0 updated, 0 unchanged, 0 refused" in out
    assert err == ""
