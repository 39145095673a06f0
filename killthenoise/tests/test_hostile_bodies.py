"""No body is expensive: its validation is fast, and its errors are short."""

import json
import time
from typing import Any

import pytest

from development.sandbox import Sandbox
from integrations.tests.factories import IntegrationFactory
from issues.models import AIIssueGroup
from killthenoise.tests.documented import document
from killthenoise.tests.hostile_bodies import hostile_bodies
from killthenoise.tests.operations import GROUP, INTEGRATION, OPERATIONS, TENANT

MAX_CPU_S = 3
"""Six times the limit that we keep on an idle machine: this must not fail by chance."""
MAX_ERROR_BYTES = 64 * 1024
MAX_RESPONSE_BYTES = 512 * 1024
"""A group with the longest texts, which the response repeats."""
WRITING = [
    operation["operationId"]
    for methods in document()["paths"].values()
    for operation in methods.values()
    if "requestBody" in operation
]


@pytest.mark.usefixtures("transactional_db")
@pytest.mark.parametrize("name", WRITING)
def test_no_body_takes_long_or_gets_a_long_response(name: str, jira: Sandbox) -> None:
    IntegrationFactory.create(
        id=INTEGRATION,
        tenant_id=TENANT,
        base_url=jira.url,
        email=jira.email,
        api_token=jira.api_token,
    )
    AIIssueGroup.objects.create(id=GROUP, tenant_id=TENANT, title="A group")

    for title, body in hostile_bodies(name):
        started = time.process_time()
        response = OPERATIONS[name].call(body=body)
        took = time.process_time() - started

        is_error = response.status_code >= 400
        limit = MAX_ERROR_BYTES if is_error else MAX_RESPONSE_BYTES
        assert took < MAX_CPU_S, title
        assert len(getattr(response, "content", b"")) < limit, title
        assert response.status_code < 500, title


def generate(body: dict[str, Any]) -> Any:
    return OPERATIONS["generateJiraDescription"].call(body=json.dumps(body))


def test_brackets_in_a_text_do_not_count_as_lists() -> None:
    response = generate({"title": "A title", "summary": '[{"\\' * 8000})

    assert response.status_code == 200


@pytest.mark.parametrize(
    ("value", "status", "sentence"),
    [
        ("[" * 64 + "]" * 64, 400, "nested more than 64 levels deep"),
        ("[" + "[]," * 20_000 + "0]", 413, "more than 20000 lists and objects"),
    ],
)
def test_deep_or_wide_body_is_rejected(value: str, status: int, sentence: str) -> None:
    body = f'{{"title": "A title", "x": {value}}}'

    response: Any = OPERATIONS["generateJiraDescription"].call(body=body)

    assert response.status_code == status
    assert sentence in response.json()["message"]


@pytest.mark.django_db
def test_response_has_at_most_twenty_sentences() -> None:
    body = OPERATIONS["putGroup"].body | {"reports": [{}] * 30}

    response: Any = OPERATIONS["putGroup"].call(body=json.dumps(body))

    error = response.json()
    assert len(error["fields"]) == 20
    assert error["message"].endswith("There are more errors; correct these first.")


@pytest.mark.django_db
def test_list_that_is_too_long_is_one_error() -> None:
    body = OPERATIONS["putGroup"].body | {"tags": [0] * 101, "reports": [{}] * 2001}

    response: Any = OPERATIONS["putGroup"].call(body=json.dumps(body))

    assert response.json()["fields"] == {
        "tags": ["The tags must be a list of at most 100 texts."],
        "reports": ["The reports must be a list of at most 2000 objects."],
    }
