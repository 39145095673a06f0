"""The benchmark: its figures are right at any speed of the machine."""

import json
import math
import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from django.core.management.base import CommandError
from django.db import connection

from development.bench.__main__ import draw_chart
from development.bench.cases import CASES, ONE_CREATION
from development.bench.figures import Figures, medians, percentile, ratios
from development.bench.group_ids import group_id
from development.bench.load import Requests, generate, parse
from development.bench.many_creations import compare_ends
from development.bench.overlay.bench_seed import GROUP_ID, seed
from development.bench.report import format_cases, format_ratios, format_tickets
from development.bench.text_table import format_table
from issues.models import AIIssueGroup, Report

TENANT = "550e8400-e29b-41d4-a716-446655440000"
NUMBERS = [0, 1, 65_536, 899_999, 1_999_999]


def figures(rate: float = 100, p50: float = 5, errors: int = 0) -> Figures:
    return Figures(rate, p50, 2 * p50, errors, responses=1000, cpu=4)


def test_median_run_counts_and_all_errors_count() -> None:
    found = medians([figures(rate=1), figures(rate=900, errors=2), figures(rate=3)])

    assert (found.rate, found.errors, found.responses) == (3, 2, 3000)


def test_ratio_is_of_runs_that_were_made_together() -> None:
    # The machine was slow during the second pair.
    now = [figures(rate=200), figures(rate=20), figures(rate=220)]
    before = [figures(rate=100), figures(rate=10), figures(rate=110)]

    assert ratios(now, before) == [2, 1, 1, 1]


def test_ratio_to_nothing_is_not_a_number() -> None:
    assert math.isnan(ratios([figures()], [figures(rate=0)])[0])


@pytest.mark.parametrize(("percent", "value"), [(50, 50), (99, 99), (100, 100)])
def test_percentile_is_the_value_that_the_given_share_does_not_exceed(
    percent: float, value: float
) -> None:
    assert percentile(list(range(100, 0, -1)), percent) == value
    assert math.isnan(percentile([], percent))


def test_table_has_a_line_for_each_row_of_equal_width() -> None:
    table = format_table(["a", "b"], [["long name", "1"], ["c", "22"]])

    assert table.splitlines() == ["a           b", "long name   1", "c          22"]


def test_tables_have_each_case_and_say_what_one_creation_takes_over_jira() -> None:
    limit = {"limit": [figures(rate=700, p50=3)]}
    runs = {
        case.name: {"product": [figures(p50=12)]} | (limit if case.creates_in else {})
        for case in CASES
    }

    table = format_cases(CASES, runs, figures(p50=1))

    assert all(f"\n{case.name}" in table for case in CASES)
    assert "One creation takes 11.00 ms over Jira's 1.00 ms" in table
    assert "the limit takes 2.00 ms" in table


def test_ratios_have_each_case() -> None:
    pair = {"now": [figures(rate=150)], "before": [figures(rate=100)]}

    lines = format_ratios([ONE_CREATION], {ONE_CREATION.name: pair}).splitlines()

    assert lines[1].split()[-4:] == ["1.50", "1.00", "1.00", "1.00"]


def test_lost_tickets_are_in_the_table() -> None:
    counts = {"in Jira": 12, "recorded": 11, "lost": 1}

    lines = format_tickets({"product": counts}).splitlines()

    assert lines[1].split() == ["product", "12", "11", "1"]


def test_chart_is_svg_with_a_line_for_each_figure() -> None:
    steps = {1: {"p50": 0.4, "p99": 30.0}, 64: {"p50": 2000.0, "p99": 0}}

    root = ElementTree.fromstring(draw_chart({"creation": steps, "list": steps}))  # noqa: S314

    svg = "{http://www.w3.org/2000/svg}"
    lines = [line.get("points", "").split() for line in root.iter(f"{svg}polyline")]
    assert [len(line) for line in lines] == [2, 1, 2, 1]  # nothing lasts 0 ms
    x, y = zip(*(map(float, point.split(",")) for point in lines[0]), strict=True)
    assert x == (70, 590)
    assert 390 >= y[0] > y[1] >= 50  # the longer, the higher
    labels = [text for text in root.iter(f"{svg}text") if text.get("x") == "598"]
    assert {label.text for label in labels} == {
        f"{name} {figure}" for name in ("creation", "list") for figure in ("p50", "p99")
    }
    places = [float(label.get("y", "")) for label in labels]
    assert all(b - a >= 16 for a, b in pairwise(places))  # none covers another


def test_rate_is_of_successes() -> None:
    found = parse(
        'Running 10s test\nJSON {"seconds": 10, "responses": 1000, "errors": 100, '
        '"lost": 3, "p50": 1.5, "p99": 9.5}\n'
    )

    assert (found.rate, found.errors, found.responses) == (90, 103, 1000)


def test_load_generator_that_failed_is_no_result() -> None:
    with pytest.raises(CommandError, match="Connection refused"):
        parse("unable to connect to 127.0.0.1:1 Connection refused")


@pytest.mark.skipif(not shutil.which("wrk"), reason="wrk is not installed")
def test_load_generator_takes_one_group_after_the_other() -> None:
    first, received = 1_999_990, []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            received.append((self.path, self.headers["X-Tenant-ID"], *body))
            self.send_response(200 if len(received) % 2 else 409)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever).start()
        url = f"http://127.0.0.1:{server.server_port}"
        sent = Requests("POST", "/GROUP/create", TENANT, first, groups=3)
        found = generate(url, sent, clients=1, seconds=1)
        server.shutdown()

    paths = [f"/{group_id(first + n)}/create" for n in range(3)]
    expected = [(path, TENANT, "title", "description") for path in paths]
    # The first request is only made to be looked at.
    assert received[:4] == [*expected[1:], *expected[:2]]
    assert found.errors == found.responses // 2
    assert len(received) - found.responses in (0, 1)  # one may be under way


@pytest.mark.django_db
@pytest.mark.skipif(connection.vendor != "postgresql", reason="seeds PostgreSQL")
@pytest.mark.parametrize("number", NUMBERS)
def test_postgresql_computes_the_same_ids(number: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT " + GROUP_ID.format(n=number))
        assert str(cursor.fetchone()[0]) == group_id(number)


@pytest.mark.django_db
@pytest.mark.skipif(connection.vendor != "postgresql", reason="seeds PostgreSQL")
def test_seed_adds_the_groups_with_their_reports() -> None:
    seed(tenant=TENANT, first=7, groups=3, reports=2)

    groups = AIIssueGroup.objects.order_by("-updated_at")
    assert [str(group.pk) for group in groups] == [group_id(n) for n in (7, 8, 9)]
    assert len({group.title for group in groups}) == 3
    assert Report.objects.filter(group=groups[0]).count() == 2
    assert Report.objects.count() == 6


def test_ends_of_a_long_run_are_compared_by_their_medians() -> None:
    rates = [100, 100, 1, 100, 100, 50, 80, 80, 999, 80, 80]
    stages = [{"rate": float(rate), "cpu": 2.0, "memory": 90.0} for rate in rates]

    found = dict(compare_ends(stages))

    assert found == {"rate": "0.80", "cpu": "1.00", "memory": "1.00"}
