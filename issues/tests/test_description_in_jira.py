"""A description, typed or pasted, as it arrives in Jira through the API."""

from typing import Any

import pytest

from development.sandbox import Sandbox
from integrations.models import Integration
from integrations.tests.test_adf import (
    BREAK,
    bullets,
    code,
    link,
    node,
    paragraph,
    text,
)
from issues.models import AIIssueGroup
from issues.tests.api import Api, assert_error

URL = "https://example.com/x"
DOCUMENTS: dict[str, list[Any]] = {
    f"详见 {URL}，谢谢。": [paragraph("详见 ", text(URL, link(URL)), "，谢谢。")],
    f"“see {URL}”": [paragraph("“see ", text(URL, link(URL)), "”")],
    f"{URL}…": [paragraph(text(URL, link(URL)), "…")],
    f"[{URL}|{URL}|smart-link]": [paragraph(text(URL, link(URL)))],
    f"<{URL}|the page>": [paragraph(text("the page", link(URL)))],
    "Intro:\n   • one\n    • two": [
        paragraph("Intro:"),
        bullets(node("listItem", paragraph("one", BREAK, "• two"))),
    ],
    "```Error: boom\n  at main()```\nThanks **all**": [
        code("Error: boom\n  at main()"),
        paragraph("Thanks ", text("all", "strong")),
    ],
    "It says ```Error: boom\r\n  at main()```，谢谢": [
        paragraph("It says"),
        code("Error: boom\n  at main()"),
        paragraph("，谢谢"),
    ],
    f"<{URL}?a=1&amp;b=2|a &amp; b> &amp; c": [
        paragraph(text("a & b", link(f"{URL}?a=1&b=2")), " &amp; c")
    ],
    "\n  - a\n  - b\n  - c\n\n": [bullets("a", "b", "c")],
    "\ufeff\xa0- a\r\n\xa0- b": [bullets("a", "b")],
    "h2. Steps\n{code:java}\nx();\n{code}\n[~accountid:5b10]": [
        node("heading", text("Steps"), level=2),
        code("x();", language="java"),
        paragraph("[~accountid:5b10]"),
    ],
}


@pytest.mark.parametrize("typed", DOCUMENTS, ids=ascii)
def test_ticket_has_the_description_that_was_typed(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox, typed: str
) -> None:
    response = api.create(group, {"title": "Export fails", "description": typed})

    assert response.status_code == 200
    [ticket] = jira.tickets
    assert ticket.fields["description"]["content"] == DOCUMENTS[typed]


def test_blank_lines_and_spaces_around_a_description_make_no_other_ticket(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    first = api.create(group, {"title": "Lists", "description": "  - a\n  - b"})

    again = api.create(
        group, {"title": " Lists\n", "description": "\r\n \t\n  - a\n  - b \n\n "}
    )

    assert again.json() == first.json()
    assert again.headers["Idempotency-Replayed"] == "true"
    assert len(jira.tickets) == 1


@pytest.mark.parametrize("field", ["title", "description"])
@pytest.mark.parametrize("typed", ["\u200b\ufeff", "\u3164", "\u2800\n\u115f"])
def test_text_that_shows_nothing_is_refused_as_blank(
    api: Api, group: AIIssueGroup, integration: Integration, field: str, typed: str
) -> None:
    response = api.create(group, {"title": "a", "description": "b"} | {field: typed})

    assert_error(response, 400, "validation_error")
    assert response.json()["fields"][field] == [
        f"The {field} is empty. Enter a {field}."
    ]
