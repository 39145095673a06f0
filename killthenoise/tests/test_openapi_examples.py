"""Every documented error and example is a response that the API really gives.

With RECORD_EXAMPLES set, the responses are written to docs/openapi_examples.json
instead of being compared with it: `make schema` does this.
"""

import json
import os
import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings as project_settings
from django.http.response import HttpResponseBase
from pytest_django import Settings

from development.sandbox import Sandbox
from integrations.models import Integration
from integrations.outgoing_webhooks.models import WebhookEndpoint
from integrations.tests.factories import (
    DeliveryFactory,
    EndpointFactory,
    IntegrationFactory,
)
from issues.models import AIIssueGroup, Report
from issues.tests.factories import GroupFactory, JobItemFactory
from killthenoise.tests.documented import codes_of, document
from killthenoise.tests.issuer import Issuer
from killthenoise.tests.operations import (
    DELIVERY,
    ENDPOINT,
    GROUP,
    INTEGRATION,
    JOB,
    NEW_GROUP,
    OPERATIONS,
    TENANT,
)
from killthenoise.tests.provocations import Scene, provoke

EXAMPLES = project_settings.BASE_DIR / "docs" / "openapi_examples.json"
SITE = "https://killthenoise.atlassian.net"
ALWAYS = {
    "request_id": "5f0c1d2e3a4b5c6d7e8f901234567890",
    "secret": "the secret, which is shown this once",
}
"""Values by their names."""
SOME_ID, SOME_TIME = "0b5e7a52-7e1b-4a51-9c39-d3a1c2f4e6b8", "2026-01-31T12:00:00Z"
KNOWN_IDS = {TENANT, GROUP, NEW_GROUP, INTEGRATION, ENDPOINT, DELIVERY, JOB}


def documented_errors() -> Iterator[tuple[str, int, str]]:
    """Yield operation, status and code of each error in the document."""
    for methods in document()["paths"].values():
        for operation in methods.values():
            for status, response in operation["responses"].items():
                for code in codes_of(response):
                    yield operation["operationId"], int(status), code


class Examples:
    """The recorded examples, or a recording: then nothing is compared."""

    def __init__(self, *, recording: bool) -> None:
        self.recording = recording
        self.known: dict[str, Any] = {"requests": {}, "responses": {}, "errors": {}}
        if not recording:
            self.known = json.loads(EXAMPLES.read_text(encoding="utf-8"))

    def compare(self, kind: str, name: str, value: Any) -> None:
        """Check that this is the example of the name, or record it."""
        if self.recording:
            self.known[kind][name] = value
        code = name.rpartition(".")[2]
        known = self.known[kind].get(name) or self.known[kind].get(code)
        assert known == value, "run `make schema`"

    def write(self) -> None:
        """Write what was recorded: a body that most operations share only once."""
        self.known["errors"] = shared(self.known["errors"])
        for kind, examples in self.known.items():
            self.known[kind] = dict(sorted(examples.items()))
        text = json.dumps(self.known, indent=2, ensure_ascii=False)
        EXAMPLES.write_text(f"{text}\n", encoding="utf-8")


def shared(errors: dict[str, Any]) -> dict[str, Any]:
    """Name the most common body `code`, and others `operation.status.code`."""
    bodies: defaultdict[str, list[Any]] = defaultdict(list)
    for name, body in sorted(errors.items()):
        bodies[name.rpartition(".")[2]].append(body)
    common = {code: max(found, key=found.count) for code, found in bodies.items()}
    own = {
        name: body
        for name, body in errors.items()
        if body != common[name.rpartition(".")[2]]
    }
    return common | own


@pytest.fixture(scope="module")
def examples() -> Iterator[Examples]:
    """The examples to compare with; a recording is written after the tests."""
    examples = Examples(recording="RECORD_EXAMPLES" in os.environ)
    yield examples
    if examples.recording:
        examples.write()


def without_chance(value: Any) -> Any:
    """Return a body in which ids, secrets, times and addresses are always the same."""
    if isinstance(value, dict):
        return {
            name: ALWAYS.get(name) or without_chance(item)
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [without_chance(item) for item in value]
    if not isinstance(value, str):
        return value
    for found in re.finditer(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", value):
        if found[0] not in KNOWN_IDS:
            value = value.replace(found[0], SOME_ID)
    if re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", value):
        return SOME_TIME
    return re.sub(r"http://127\.0\.0\.1:\d+", SITE, value)


def body_of(response: HttpResponseBase) -> dict[str, Any]:
    body: dict[str, Any] = without_chance(json.loads(getattr(response, "content")))  # noqa: B009
    return body


@pytest.fixture
def group(transactional_db: None) -> AIIssueGroup:
    """The group and the job that the operations name."""
    JobItemFactory.create(
        job__id=UUID(JOB), job__tenant_id=UUID(TENANT), group_id=GROUP
    )
    return GroupFactory.create(
        id=UUID(GROUP),
        tenant_id=UUID(TENANT),
        title="Dark mode",
        summary="Customers ask for a dark dashboard.",
    )


@pytest.fixture
def integration(transactional_db: None, jira: Sandbox) -> Integration:
    """The integration that the operations name, with the sandbox."""
    return IntegrationFactory.create(
        id=UUID(INTEGRATION),
        tenant_id=UUID(TENANT),
        base_url=jira.url,
        email=jira.email,
        api_token=jira.api_token,
    )


def add_known_webhook() -> None:
    """Replace the webhook by one with the id and delivery that the operations name."""
    WebhookEndpoint.objects.all().delete()
    endpoint = EndpointFactory.create(id=UUID(ENDPOINT), tenant_id=UUID(TENANT))
    DeliveryFactory.create(id=UUID(DELIVERY), endpoint=endpoint)


@pytest.fixture
def scene(
    request: pytest.FixtureRequest,
    group: AIIssueGroup,
    integration: Integration,
    jira: Sandbox,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> Scene:
    """The operation that the test names, ready to fail."""
    name = request.node.callspec.params["name"]
    operation = OPERATIONS[name]
    add_known_webhook()
    if name == "connectJira":
        operation = operation._replace(body=operation.body | {"base_url": jira.url})

    def start_issuer() -> Issuer:
        issuer: Issuer = request.getfixturevalue("issuer")
        return issuer

    return Scene(
        name, operation, group, integration, jira, settings, monkeypatch, start_issuer
    )


@pytest.mark.parametrize(("name", "status", "code"), list(documented_errors()))
def test_documented_error_looks_like_its_example(
    scene: Scene, examples: Examples, name: str, status: int, code: str
) -> None:
    response = provoke(scene, status, code)

    body = body_of(response)
    assert (response.status_code, body["code"]) == (status, code)
    examples.compare("errors", f"{name}.{status}.{code}", body)


def test_successful_response_looks_like_its_example(
    group: AIIssueGroup, jira: Sandbox, examples: Examples
) -> None:
    for name, operation in OPERATIONS.items():
        if operation.body is not None:
            examples.compare("requests", name, operation.body)
        if name == "connectJira":
            operation = operation._replace(body=operation.body | {"base_url": jira.url})
        response = operation.call()
        if name == "connectJira":
            Integration.objects.update(id=UUID(INTEGRATION))
        if name == "createWebhook":
            add_known_webhook()
        assert response.status_code == 200, getattr(response, "content", "")
        examples.compare("responses", name, body_of(response))
    assert not Report.objects.jira().exists()


def test_accepted_response_looks_like_its_example(
    group: AIIssueGroup,
    integration: Integration,
    examples: Examples,
    settings: Settings,
) -> None:
    settings.CELERY_BROKER_URL = "redis://localhost"

    response = OPERATIONS["createJiraTickets"].call()

    assert response.status_code == 202
    examples.compare("responses", "createJiraTickets.202", body_of(response))


def test_every_operation_has_a_request() -> None:
    assert {name for name, _, _ in documented_errors()} == set(OPERATIONS)


def test_every_example_is_in_the_document(examples: Examples) -> None:
    names = {
        name
        for operation, status, code in documented_errors()
        for name in (code, f"{operation}.{status}.{code}")
    }

    assert set(examples.known["errors"]) <= names
    responses = {name.removesuffix(".202") for name in examples.known["responses"]}
    assert responses == set(OPERATIONS)
