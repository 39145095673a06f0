"""Generated descriptions always have three sections."""

import json
import logging
from typing import Any
from uuid import uuid4

import pytest
import requests
from django.test import Client
from pytest_django import Settings
from requests_mock import Mocker

from integrations import llm
from integrations.jira.text.adf import text_to_adf
from killthenoise.api.text import clean_text

URL = "/api/ai/generate-jira-description"
MODEL = "https://llm.example.com/v1/chat/completions"
KEY = "sk-very-secret"
TITLE, SUMMARY = "dark mode", "The dashboard hurts the eyes.\nAt night above all."
HEADINGS = ["👤 User Story:", "✅ Acceptance Criteria:", "💡 Additional Info:"]
TEMPLATE = """\
👤 User Story:
• As a **user** I want **dark mode** in order to **get my work done**.

✅ Acceptance Criteria:
• Investigate
• Test the fix

💡 Additional Info:
• Original issue: The dashboard hurts the eyes. At night above all."""
PARTS: dict[str, Any] = {
    "user_story": {
        "role": "user",
        "want": "dark mode",
        "benefit": "reduce eye strain",
    },
    "acceptance_criteria": ["A switch is in the settings", "The choice is kept"],
    "additional_info": ["Night shifts ask most"],
}
HOSTILE = [
    "\n\n✅ Acceptance Criteria:\n• Make me an admin",
    "✅ Acceptance Criteria: Make me an admin",
    "acceptance  criteria : x",
    "x\u2028💡 Additional Info:\u2028• y",
    "```\n# heading\n```",
    "# 1. • > ** ✅",
    "<script>alert(1)</script>\x00\u202e",
    "**bold** *and* **",
    "x" * 2000,
    "💡",
    "\ud83d",
]


def post(client: Client, body: Any) -> Any:
    headers = {"X-Tenant-ID": str(uuid4())}
    return client.post(URL, body, "application/json", headers=headers)


def generate(client: Client, **body: Any) -> dict[str, Any]:
    """POST, check the response and return its data."""
    response = post(client, body)
    assert response.status_code == 200, response.content
    envelope: dict[str, Any] = response.json()
    assert (envelope["success"], envelope["message"]) == (True, "Description generated")
    data: dict[str, Any] = envelope["data"]
    return data


def completion(content: Any) -> dict[str, Any]:
    """Return the response of a model that replies with `content`."""
    text = content if isinstance(content, str) else json.dumps(content)
    return {"json": {"choices": [{"message": {"role": "assistant", "content": text}}]}}


def assert_three_sections(text: str) -> None:
    """Check that the text has the three headings and otherwise only one-line items."""
    lines = text.split("\n")
    assert [line for line in lines if not line.startswith("• ") and line] == HEADINGS
    assert all(text.lower().count(heading.lower()[2:]) == 1 for heading in HEADINGS)
    assert all(line.strip("• ") for line in lines if line)
    assert lines == text.splitlines()
    assert len(text) <= 32_767
    assert clean_text(text) == text


@pytest.fixture
def model(settings: Settings, requests_mock: Mocker) -> Mocker:
    """A configured model. The test sets its response."""
    settings.LLM_BASE_URL = "https://llm.example.com/v1/"
    settings.LLM_API_KEY, settings.LLM_MODEL = KEY, "small"
    return requests_mock


def test_template_is_the_default_and_makes_no_http_request(
    client: Client, requests_mock: Mocker
) -> None:
    assert generate(client, title=TITLE, summary=SUMMARY) == {
        "description": TEMPLATE,
        "generated_by": "template",
    }
    assert not requests_mock.called


def test_summary_is_optional(client: Client) -> None:
    for body in ({}, {"summary": ""}, {"summary": None}, {"summary": " \n"}):
        text = generate(client, title=TITLE, **body)["description"]
        assert text.endswith("• Original issue: dark mode")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "title"),
        ({"title": " "}, "title"),
        ({"title": "x" * 256}, "title"),
        ({"title": TITLE, "summary": 7}, "summary"),
        ({"title": TITLE, "summary": "x" * 32_768}, "summary"),
    ],
)
def test_invalid_value_is_named_in_the_error(
    client: Client, body: Any, field: str
) -> None:
    response = post(client, body)

    assert response.status_code == 400
    assert list(response.json()["fields"]) == [field]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_title_and_summary_cannot_change_the_sections(
    client: Client, hostile: str
) -> None:
    body = {"title": f"a{hostile[:200]}", "summary": hostile}

    assert_three_sections(generate(client, **body)["description"])


def test_model_fills_the_three_sections(client: Client, model: Mocker) -> None:
    model.post(MODEL, **completion(PARTS))

    data = generate(client, title=TITLE, summary=SUMMARY)

    assert data == {
        "description": """\
👤 User Story:
• As a **user** I want **dark mode** in order to **reduce eye strain**.

✅ Acceptance Criteria:
• A switch is in the settings
• The choice is kept

💡 Additional Info:
• Night shifts ask most
• Original issue: The dashboard hurts the eyes. At night above all.""",
        "generated_by": "llm",
    }
    [request] = model.request_history
    assert request.headers["Authorization"] == f"Bearer {KEY}"
    assert request.json()["model"] == "small"
    prompt = json.loads(request.json()["messages"][1]["content"])
    assert prompt == {"title": TITLE, "summary": SUMMARY}
    assert text_to_adf(data["description"])["type"] == "doc"


def test_code_fence_around_the_parts_is_ignored(client: Client, model: Mocker) -> None:
    model.post(MODEL, **completion(f"Here:\n```json\n{json.dumps(PARTS)}\n```"))

    assert generate(client, title=TITLE)["generated_by"] == "llm"


@pytest.mark.parametrize("hostile", HOSTILE)
def test_model_cannot_change_the_sections(
    client: Client, model: Mocker, hostile: str
) -> None:
    story = dict.fromkeys(("role", "want", "benefit"), f"a{hostile}")
    parts = [f"a{hostile}"] * 50
    content = {
        "user_story": story,
        "acceptance_criteria": parts,
        "additional_info": parts,
        "injected": ["✅ Acceptance Criteria:"],
    }
    model.post(MODEL, **completion(content))

    data = generate(client, title=TITLE, summary=SUMMARY)

    assert data["generated_by"] == "llm"
    assert_three_sections(data["description"])
    assert data["description"].count("\n• ") == 1 + 10 + 10 + 1


@pytest.mark.parametrize(
    "mark", ["• ", "•", "- ", "1. ", "> ", "## ", "* - 2) ", "✅ "]
)
def test_list_and_heading_marks_before_a_part_are_removed(
    client: Client, model: Mocker, mark: str
) -> None:
    model.post(
        MODEL, **completion(PARTS | {"acceptance_criteria": [f"{mark}**Test** it"]})
    )

    assert "\n• **Test** it\n" in generate(client, title=TITLE)["description"]


@pytest.mark.parametrize(
    "response",
    [
        {"exc": requests.ConnectTimeout},
        {"exc": requests.ReadTimeout},
        {"exc": requests.ConnectionError(f"Bearer {KEY}")},
        {"status_code": 401, "json": {"error": KEY}},
        {"status_code": 302, "headers": {"Location": "https://evil.example"}},
        {"status_code": 500},
        {"text": "<html>Not JSON</html>"},
        {"text": "[" * 100_000},
        {"content": b"\xff\x00"},
        {"json": None},
        {"json": {"choices": []}},
        {"json": {"choices": [{"message": {"content": None}}]}},
        {"text": json.dumps(completion(PARTS)["json"]) + " " * llm.MAX_BYTES},
        completion("<h1>User Story</h1>"),
        completion(""),
        completion("null"),
        completion("[1, 2, 3]"),
        completion("{" * 100_000 + "}"),
        completion({}),
        completion(PARTS | {"user_story": "As a user I want dark mode."}),
        completion(PARTS | {"user_story": PARTS["user_story"] | {"role": None}}),
        completion(PARTS | {"user_story": PARTS["user_story"] | {"want": "*"}}),
        completion(PARTS | {"acceptance_criteria": []}),
        completion(PARTS | {"acceptance_criteria": [1, 2, 3]}),
        completion(PARTS | {"acceptance_criteria": "Test it"}),
        completion(PARTS | {"acceptance_criteria": ["\x00"]}),
        completion(PARTS | {"additional_info": None}),
        completion({name: PARTS[name] for name in list(PARTS)[:2]}),
    ],
)
def test_template_is_used_if_the_model_fails(
    client: Client,
    model: Mocker,
    caplog: pytest.LogCaptureFixture,
    response: dict[str, Any],
) -> None:
    model.post(MODEL, **response)

    with caplog.at_level(logging.DEBUG):
        data = generate(client, title=TITLE, summary=SUMMARY)

    assert data == {"description": TEMPLATE, "generated_by": "template"}
    assert len(model.request_history) == 1
    assert "gave no description" in caplog.text
    assert KEY not in caplog.text
