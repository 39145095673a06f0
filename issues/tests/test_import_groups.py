"""Groups from a file: all that are good, in constant queries, again without a write."""

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

from issues import import_lines
from issues.models import AIIssueGroup, Report
from issues.tests.factories import GroupFactory
from issues.tests.outage import database_down

TENANT = UUID("550e8400-e29b-41d4-a716-446655440000")
pytestmark = pytest.mark.django_db


def line(number: int = 0, **changes: Any) -> dict[str, Any]:
    """Return a good line; the same number is the same group."""
    report = {"source": "slack", "external_id": f"C01-{number}", "title": "Empty"}
    group = {"id": str(uuid5(TENANT, str(number))), "tenant_id": str(TENANT)}
    return group | {"title": f"Case {number}", "reports": [report]} | changes


def run(path: Path, lines: Sequence[Any]) -> tuple[str, str]:
    """Import the lines; return what was told, and what of the refused ones."""
    texts = [
        one if isinstance(one, bytes) else json.dumps(one).encode() for one in lines
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


def test_second_run_only_reads(file: Path) -> None:
    lines = [line(number) for number in range(20)]
    run(file, lines)

    with CaptureQueriesContext(connection) as seen:
        run(file, lines)

    assert {query["sql"].split()[0] for query in seen} <= {
        "SELECT",
        "SAVEPOINT",
        "RELEASE",
    }


def test_batch_takes_as_many_queries_for_many_groups_as_for_few(
    file: Path,
) -> None:
    counts = []
    for start, size in ((0, 2), (100, 60)):
        numbers = range(start, start + size)
        with CaptureQueriesContext(connection) as seen:
            run(file, [line(number) for number in numbers])
            run(file, [line(number, title="x", reports=[]) for number in numbers])
        counts.append(len(seen))

    assert counts[0] == counts[1] <= 20


def test_refused_lines_are_told_and_the_others_imported(file: Path) -> None:
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

    told = [text.split(": ", 1) for text in err.splitlines()]
    assert [where for where, _ in told] == [
        *(f"Line {n}" for n in (2, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13)),
        "Refused lines",
    ]
    why = dict(told)
    assert why["Line 2"] == "title: The title is empty. Enter a title."
    assert "not valid JSON" in why["Line 3"]
    assert why["Line 4"] == "The line must be a JSON object."
    assert "longer than 1 MiB" in why["Line 9"]
    assert "another tenant" in why["Line 10"]
    assert why["Line 11"] == ("reports.0.external_id: Enter a report's external id.")
    assert why["Line 13"].startswith("tenant_id: ")
    assert why["Refused lines"].endswith("(1)")
    assert "2 created, 0 updated, 0 unchanged, 11 refused" in out
    titles = AIIssueGroup.objects.values_list("title", flat=True)
    assert set(titles) == {"Case 1", "Case 6", foreign.title}
    assert Report.objects.count() == 2


def test_group_that_comes_twice_is_as_its_last_line(file: Path) -> None:
    out, _ = run(file, [line(1), line(2), line(1, title="Later", reports=[])])

    assert "2 created, 1 updated" in out
    assert AIIssueGroup.objects.get(pk=line(1)["id"]).title == "Later"
    assert Report.objects.count() == 1


def test_failing_batch_is_told_and_nothing_of_it_is_imported(
    file: Path, transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_lines, "BATCH", 2)
    run(file, [line(0), line(1)])

    with database_down('INTO "issues_report"'):
        _, err = run(file, [line(number) for number in range(5)])

    assert "did not take lines 3 to 4" in err
    assert AIIssueGroup.objects.count() == 2


def test_import_waits_for_a_link_under_way(file: Path, transactional_db: None) -> None:
    noise = {"source": "jira", "external_id": "SCRUM-1", "title": "Before"}
    run(file, [line(1, reports=[noise])])

    def import_later() -> None:
        with closing(connection):
            run(file, [line(1, reports=[noise | {"title": "After"}])])

    with ThreadPoolExecutor() as pool:
        with transaction.atomic():
            Report.objects.update(linked=True)
            importing = pool.submit(import_later)
            with pytest.raises(TimeoutError):
                importing.result(timeout=0.5)
        importing.result()

    assert Report.objects.get().title == "Before"


def test_input_is_read_too(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text(json.dumps(line(1)))
    out = StringIO()

    with file.open() as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        call_command("import_groups", "-", stdout=out)

    assert "1 created" in out.getvalue()


def test_file_that_cannot_be_read_is_told(file: Path) -> None:
    with pytest.raises(CommandError, match=r"Cannot read .*: No such file"):
        call_command("import_groups", str(file))


def test_lines_come_batch_by_batch(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_lines, "BATCH", 3)
    file.write_text("\n".join(json.dumps(line(number)) for number in range(10)))

    with file.open("rb") as stream:
        sizes = [len(batch) for batch in import_lines.batches(stream)]

    assert sizes == [3, 3, 3, 1]


@pytest.mark.parametrize(
    "blank", [b"\xef\xbb\xbf", b"\xef\xbb\xbf \t\r", b" \xef\xbb\xbf", b"  \r", b""]
)
def test_blank_line_is_skipped_even_with_a_byte_order_mark(
    file: Path, blank: bytes
) -> None:
    out, err = run(file, [blank, line(1), blank])

    assert "1 created, 0 updated, 0 unchanged, 0 refused" in out
    assert err == ""
