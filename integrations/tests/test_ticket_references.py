"""Texts that name a ticket, as people copy and type them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.jira.issue_lookup import is_issue_key
from integrations.tickets.references import TicketReference, parse_ticket_reference

SITE = "https://acme.atlassian.net"


def parse(text: str, site: str = SITE) -> TicketReference:
    return parse_ticket_reference(text, site=site, project_keys=["SCRUM"])


@pytest.mark.parametrize(
    "text",
    [
        "SCRUM-3",
        "scrum-3",
        "3",
        "#3",
        " SCRUM-3\n",
        "SCRUM-3.",
        "(SCRUM-3),",
        "“SCRUM-3”",
        "«SCRUM-3»",
        "`SCRUM-3`",
        "SCRUM-3。",
        "SCRUM\u200b-3",
        "\ufeffSCRUM-3\u200d",
        "SCRUM\u20113",
        "SCRUM–3",
        "ＳＣＲＵＭ－３",
        "SCRUM-3: Export fails",
        "See SCRUM-3, please (SCRUM-3).",
        f"{SITE}/browse/SCRUM-3",
        f"{SITE}/browse/SCRUM-3/",
        f"{SITE}/browse/scrum-3",
        f"{SITE}/browse/SCRUM-3?focusedCommentId=1",
        f"{SITE}/browse/SCRUM-3?jql=project%20%3D%20OPS&x=OPS-1",
        f"{SITE}/browse/SCRUM-3#comment-1",
        f"{SITE}/browse/SCRUM%2D3",
        f"{SITE}/browse/SCRUM-3\u200b",
        f"{SITE}/browse/SCRUM-3%E2%80%8B",
        f"{SITE}/browse/SCRUM-3%20",
        f"{SITE}/browse/SCRUM-3%2F",
        f"{SITE}/browse/SCRUM-3;jsessionid=1",
        f"{SITE}/browse/SCRUM-3，谢谢",
        f"{SITE}/browse/SCRUM-3。谢谢",
        f"{SITE}/jira/browse/SCRUM-3/",
        f"{SITE}/issues/?selectedIssue=SCRUM-3%E2%80%8B",
        f"{SITE}/board?selectedIssue=SCRUM-3/",
        f"{SITE}/si/jira.issueviews:issue-html/SCRUM-3/SCRUM-3.html",
        f"{SITE}/jira/software/projects/SCRUM/boards/1?selectedIssue=SCRUM-3",
        f"{SITE}/jira/software/c/projects/SCRUM/boards/1?a=b&selectedIssue=scrum-3",
        f"{SITE}/jira/software/c/projects/SCRUM/issues/SCRUM-3",
        f"{SITE}/projects/SCRUM/issues/SCRUM-3?filter=allopenissues",
        f"{SITE}/browse/OPS-1?selectedIssue=SCRUM-3",
        f"{SITE}/jira/servicedesk/projects/SCRUM/queues/custom/7/SCRUM-3",
        f"{SITE}:443/browse/SCRUM-3",
        "HTTPS://ACME.Atlassian.NET/browse/SCRUM-3",
        "http://acme.atlassian.net/browse/SCRUM-3",
        "acme.atlassian.net/browse/SCRUM-3",
        f"<{SITE}/browse/SCRUM-3|SCRUM-3>",
        f"[SCRUM-3]({SITE}/browse/SCRUM-3)",
        f"Export fails: {SITE}/browse/SCRUM-3.",
        f"{SITE}/browse/SCRUM-3 https://wiki.example/x",
    ],
)
def test_text_names_the_ticket(text: str) -> None:
    assert parse(text) == TicketReference("SCRUM-3")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SCRUM",
        "SCRUM-",
        "SCRUM-0",
        "٣",
        "-3",
        "SCRUM-1/../2",
        "SCRUM-3 or SCRUM-4",
        "UTF-8 export",
        f"{SITE}/browse/SCRUM",
        f"{SITE}/jira/software/projects/SCRUM/boards/3",
        f"{SITE}/browse/SCRUM-3-old",
        f"{SITE}/browse/SCRUM-3谢谢",
        f"{SITE}/browse/SCRUM-3 {SITE}/browse/SCRUM-4",
        "https://[::1/browse/SCRUM-3",
        "https://acme.atlassian.net:x/browse/SCRUM-3",
        "https://",
    ],
)
def test_text_names_no_ticket(text: str) -> None:
    assert parse(text) == TicketReference()


@pytest.mark.parametrize(
    ("text", "site"),
    [
        ("https://other.atlassian.net/browse/SCRUM-3", "other.atlassian.net"),
        ("other.atlassian.net/browse/SCRUM-3", "other.atlassian.net"),
        ("https://acme.atlassian.net@evil.example/browse/SCRUM-3", "evil.example"),
        (
            "https://acme.atlassian.net.evil.example/browse/SCRUM-3/",
            "acme.atlassian.net.evil.example",
        ),
        ("https://acme.atlassian.net:8443/browse/SCRUM-3", "acme.atlassian.net:8443"),
        ("https://x.example/boards/1?selectedIssue=SCRUM-3", "x.example"),
    ],
)
def test_address_of_another_site_is_rejected(text: str, site: str) -> None:
    assert parse(text) == TicketReference("SCRUM-3", other_site=site)


def test_site_may_have_a_port() -> None:
    site = "http://127.0.0.1:8081"

    assert parse(f"{site}/browse/SCRUM-3/", site) == TicketReference("SCRUM-3")
    assert parse("http://127.0.0.1:8082/browse/SCRUM-3", site).other_site


PIECES = st.sampled_from(["https://", SITE, "/browse/", "SCRUM-3", "?selectedIssue="])


@given(st.lists(st.one_of(st.text(max_size=20), PIECES)).map("".join))
def test_any_text_names_one_ticket_or_none(text: str) -> None:
    named = parse(text)

    assert named.key == "" or is_issue_key(named.key)
