"""PUT of a group with its reports by the clustering pipeline."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any
from uuid import UUID, uuid4

import pytest
import requests

from integrations.models import Integration
from issues.models import AIIssueGroup, Report
from issues.tests.api import Api, assert_error
from issues.tests.factories import GroupFactory, ReportFactory
from issues.views import QUICK_REPORTS
from killthenoise.api.slots import MAX_IMPORTS, import_slot

SLACK = {
    "source": "slack",
    "external_id": "C01-1",
    "title": "Export gives me an empty file",
    "url": "https://example.slack.com/archives/C01/p1",
    "created_at": "2026-01-01T09:00:00Z",
}
HUBSPOT = {"source": "hubspot", "external_id": "9"}
JIRA_REPORT = {"source": "jira", "external_id": "OPS-5", "title": "Export is slow"}
BODY: dict[str, Any] = {
    "title": "The export fails",
    "summary": "Several customers cannot export.",
    "severity": 4,
    "status": "triaged",
    "type": "bug",
    "tags": ["export", "csv"],
    "team_id": "team-data",
    "ai_type_confidence": 0.91,
    "ai_type_reasoning": "Every report tells of an error.",
    "created_at": "2026-01-01T10:00:00Z",
    "updated_at": "2026-01-02T10:00:00Z",
    "reports": [SLACK, HUBSPOT],
}
MINIMAL = {"title": "The export fails"}
pytestmark = pytest.mark.django_db(transaction=True)


def put(api: Api, pk: Any, body: Any = BODY, **changes: Any) -> requests.Response:
    """PUT a group: `body` with `changes`."""
    return api.request("PUT", f"/api/issues/ai/{pk}", json=body | changes)


def get_data(response: requests.Response) -> dict[str, Any]:
    assert response.status_code == 200, response.text
    data: dict[str, Any] = response.json()["data"]
    return data


def stored_rows() -> list[dict[str, Any]]:
    groups: list[Any] = list(AIIssueGroup.objects.order_by("pk").values())
    return groups + list(Report.objects.order_by("pk").values())


def get_external_ids() -> set[str]:
    return set(Report.objects.values_list("external_id", flat=True))


def test_new_group_is_returned_and_listed_as_sent(api: Api) -> None:
    pk = uuid4()

    response = put(api, pk)

    group = get_data(response)
    [listed] = api.request("GET", "/api/issues/ai").json()["data"]
    sent = {name: value for name, value in BODY.items() if name != "reports"}
    assert response.json()["message"] == "Issue group created"
    assert group == listed
    assert group == sent | {
        "id": str(pk),
        "tenant_id": api.headers["X-Tenant-ID"],
        "frequency": 2,
        "sources": [
            {"source": "hubspot", "count": 1},
            {"source": "slack", "count": 1},
        ],
        "jira_tickets": [],
    }
    reports = api.request("GET", f"/api/issues/ai/{pk}/reports").json()["data"]
    assert any(SLACK.items() <= report.items() for report in reports)


@pytest.mark.parametrize(
    "body", [BODY, MINIMAL, MINIMAL | {"reports": [SLACK, HUBSPOT]}]
)
def test_identical_put_changes_nothing(api: Api, body: dict[str, Any]) -> None:
    pk = uuid4()
    put(api, pk, body)
    before = stored_rows()

    response = put(api, pk, body)

    assert response.json()["message"] == "Issue group unchanged"
    assert stored_rows() == before


def test_missing_or_null_key_gets_its_default(api: Api) -> None:
    pk = uuid4()
    put(api, pk)

    group = get_data(put(api, pk, MINIMAL | {"summary": None, "severity": None}))

    assert (group["summary"], group["severity"], group["tags"]) == ("", None, [])
    assert (group["status"], group["type"], group["team_id"]) == ("open", "", "")
    assert (group["created_at"], group["frequency"]) == (BODY["created_at"], 2)
    assert group["updated_at"] > BODY["updated_at"]


@pytest.mark.parametrize(
    "reports",
    [
        [SLACK, HUBSPOT, {"source": "slack", "external_id": "C01-2"}],
        [SLACK | {"title": "Empty file"}, HUBSPOT],
        [SLACK],
    ],
    ids=["added", "updated", "removed"],
)
def test_changing_only_the_reports_changes_updated_at(
    api: Api, reports: list[Any]
) -> None:
    pk, body = uuid4(), MINIMAL | {"reports": [SLACK, HUBSPOT]}
    before = get_data(put(api, pk, body))

    after = get_data(put(api, pk, body, reports=reports))

    assert after["updated_at"] > before["updated_at"]
    assert after["frequency"] == len(reports)
    kept = Report.objects.get(external_id="C01-1")
    assert kept.title == reports[0]["title"]


def test_reports_are_replaced_only_if_the_body_has_them(api: Api) -> None:
    pk = uuid4()
    put(api, pk)
    put(api, pk, MINIMAL)
    assert get_external_ids() == {"C01-1", "9"}

    put(api, pk, MINIMAL | {"reports": []})

    assert get_external_ids() == set()


@pytest.mark.parametrize("origin", ["created", "linked"])
@pytest.mark.parametrize("reports", ["none", "the ticket as another"])
def test_created_or_linked_ticket_is_kept_whatever_the_pipeline_sends(
    api: Api, group: AIIssueGroup, integration: Integration, origin: str, reports: str
) -> None:
    key = api.create(group).json()["data"]["ticket_key"]
    if origin == "linked":
        path = f"/api/issues/ai/{group.pk}"
        api.request("DELETE", f"{path}/jira-tickets/{key}")
        put(api, group.pk, reports=[{"source": "jira", "external_id": key}])
        api.request("POST", f"{path}/link-jira-ticket", json={"ticket_key": key})
    ticket = Report.objects.values().get()
    other = {"source": "Jira", "external_id": key.lower(), "title": "Closed"}
    sent = [] if reports == "none" else [other]

    put(api, group.pk, reports=sent)
    response = put(api, group.pk, reports=sent)

    assert response.json()["message"] == "Issue group unchanged"
    assert [ticket["key"] for ticket in get_data(response)["jira_tickets"]] == [key]
    assert Report.objects.values().get() == ticket


def test_report_from_jira_is_updated_and_never_removed(api: Api) -> None:
    pk = uuid4()
    put(api, pk, reports=[JIRA_REPORT])
    put(api, pk, reports=[JIRA_REPORT | {"title": "Export is fast"}])
    put(api, pk, reports=[])

    assert Report.objects.get().title == "Export is fast"


def test_ticket_can_be_created_for_a_new_group(
    api: Api, integration: Integration
) -> None:
    pk = str(uuid4())
    put(api, pk)

    assert api.create(pk).status_code == 200


@pytest.mark.parametrize("group_id", ["other tenant", "x", "%00"])
def test_group_of_another_tenant_and_a_malformed_id_get_the_same_404(
    api: Api, group_id: str
) -> None:
    foreign = ReportFactory.create().group
    before = stored_rows()

    response = put(api, foreign.pk if group_id == "other tenant" else group_id)

    assert_error(response, 404, "group_not_found")
    assert stored_rows() == before


def test_id_and_tenant_in_the_body_must_match_the_request(api: Api) -> None:
    pk, tenant = str(uuid4()), api.headers["X-Tenant-ID"]
    assert put(api, pk, id=pk, tenant_id=tenant.upper()).status_code == 200

    for name in ("id", "tenant_id"):
        response = put(api, pk, **{name: str(uuid4())})
        body = assert_error(response, 400, "validation_error")
        assert list(body["fields"]) == [name]
        assert f"Leave {name} out, or send the one in" in body["message"]


def test_text_is_cleaned_and_only_web_addresses_are_kept(
    api: Api,
) -> None:
    pk = uuid4()
    report = SLACK | {"title": "\u202eA\x00\nB", "url": "javascript:alert(1)"}
    other = HUBSPOT | {"source": " HubSpot\n", "url": "HTTPS://example.com/1"}

    group = get_data(
        put(
            api,
            pk,
            title=" a\r\nb\x00\ud800 ",
            summary="a\r\nb\x07<b>",
            tags=["\u2066x\u2069"],
            reports=[report, other],
        )
    )

    assert (group["title"], group["summary"]) == ("a b", "a\nb<b>")
    assert group["tags"] == ["x"]
    slack, hubspot = Report.objects.order_by("-source")
    assert (slack.title, slack.url) == ("A B", "")
    assert (hubspot.source, hubspot.url) == ("hubspot", "HTTPS://example.com/1")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"severity": "high"}, "The severity must be a whole number, such as 4."),
        ({"severity": 2**31}, "The severity must be a whole number, such as 4."),
        ({"type": "epic"}, "The type must be one of bug, feature, feature_request."),
        ({"tags": "export"}, "The tags must be a list of at most 100 strings."),
        ({"tags": ["x"] * 101}, "The tags must be a list of at most 100 strings."),
        ({"ai_type_confidence": 2}, "The confidence must be a number from 0 to 1."),
    ],
)
def test_message_says_which_value_is_wrong(
    api: Api, changes: dict[str, Any], message: str
) -> None:
    body = assert_error(put(api, uuid4(), **changes), 400, "validation_error")

    assert body["message"] == message


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"title": None}, "title"),
        ({"title": " \x00 "}, "title"),
        ({"title": "x" * 256}, "title"),
        ({"summary": 7}, "summary"),
        ({"summary": "x" * 32_768}, "summary"),
        ({"severity": "high"}, "severity"),
        ({"severity": 2**31}, "severity"),
        ({"status": ""}, "status"),
        ({"type": "epic"}, "type"),
        ({"tags": "export"}, "tags"),
        ({"tags": ["export", 7]}, "tags.1"),
        ({"ai_type_confidence": 1.1}, "ai_type_confidence"),
        ({"ai_type_confidence": "nan"}, "ai_type_confidence"),
        ({"ai_type_confidence": True}, "ai_type_confidence"),
        ({"created_at": "yesterday"}, "created_at"),
        ({"updated_at": 7}, "updated_at"),
        ({"updated_at": "0001-01-01T00:00:00+14:00"}, "updated_at"),
        ({"tenant_id": 7}, "tenant_id"),
        ({"reports": {}}, "reports"),
        ({"reports": [SLACK, "noise"]}, "reports.1"),
        ({"reports": [{"external_id": "1"}]}, "reports.0.source"),
        ({"reports": [{"source": "slack"}]}, "reports.0.external_id"),
        ({"reports": [HUBSPOT | {"url": f"https://{'x' * 2000}"}]}, "reports.0.url"),
        ({"reports": [SLACK, SLACK]}, "reports"),
        ({"reports": [JIRA_REPORT | {"external_id": "ß" * 200}]}, "reports.0"),
    ],
)
def test_invalid_value_is_named_in_the_error_and_nothing_is_stored(
    api: Api, changes: dict[str, Any], field: str
) -> None:
    body = assert_error(put(api, uuid4(), **changes), 400, "validation_error")

    assert list(body["fields"]) == [field]
    assert stored_rows() == []


def test_concurrent_puts_of_a_new_group_create_one_group(api: Api) -> None:
    pk = uuid4()

    with ThreadPoolExecutor(8) as pool:
        responses = list(pool.map(lambda _: put(api, pk), range(24)))

    assert {response.status_code for response in responses} == {200}
    assert AIIssueGroup.objects.count() == 1
    assert get_external_ids() == {"C01-1", "9"}
    assert Report.objects.count() == 2


def test_concurrent_puts_with_different_content_do_not_mix(api: Api) -> None:
    pk = uuid4()

    def put_one(n: int) -> int:
        report = {"source": "slack", "external_id": str(n), "title": str(n)}
        return put(api, pk, MINIMAL, title=str(n), reports=[report]).status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(put_one, range(24))) == {200}

    group, report = AIIssueGroup.objects.get(), Report.objects.get()
    assert group.title == report.title == report.external_id


def test_concurrent_puts_of_one_id_by_many_tenants_create_one_group(api: Api) -> None:
    pk, tenants = uuid4(), [str(uuid4()) for _ in range(8)]

    def put_one(tenant: str) -> int:
        headers = {"X-Tenant-ID": tenant}
        path = f"/api/issues/ai/{pk}"
        body = BODY | {"title": tenant}
        return api.request("PUT", path, json=body, headers=headers).status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(put_one, tenants))

    assert sorted(statuses) == [200] + [404] * 7
    group = AIIssueGroup.objects.get()
    assert group.title == str(group.tenant_id) == tenants[statuses.index(200)]


def test_reports_without_an_external_id_are_replaced(api: Api) -> None:
    group = GroupFactory.create(tenant_id=api.headers["X-Tenant-ID"])
    ReportFactory.create_batch(2, group=group, external_id="")

    put(api, group.pk)

    assert get_external_ids() == {"C01-1", "9"}


def with_reports(number: int) -> dict[str, Any]:
    reports = [{"source": "slack", "external_id": str(n)} for n in range(number)]
    return MINIMAL | {"reports": reports}


def test_tenant_has_one_large_import_at_a_time(api: Api, tenant_id: UUID) -> None:
    pk, large = uuid4(), with_reports(QUICK_REPORTS + 1)

    with import_slot(tenant_id):
        refused = assert_error(put(api, pk, large), 429, "tenant_busy")
        get_data(put(api, pk, with_reports(QUICK_REPORTS)))
        get_data(put(Api(api.server, uuid4()), uuid4(), large))

    assert refused["retryable"] is True
    assert get_data(put(api, pk, large))["frequency"] == QUICK_REPORTS + 1


def test_tenants_share_the_large_imports_of_a_process(api: Api) -> None:
    large = with_reports(QUICK_REPORTS + 1)

    with ExitStack() as running:
        for _ in range(MAX_IMPORTS):
            running.enter_context(import_slot(uuid4()))
        assert_error(put(api, uuid4(), large), 429, "tenant_busy")


def test_import_that_fails_gives_its_slot_back(api: Api) -> None:
    large = with_reports(QUICK_REPORTS + 1)

    for _ in range(MAX_IMPORTS + 1):
        assert_error(put(api, uuid4(), large, title=""), 400, "validation_error")

    get_data(put(api, uuid4(), large))
