"""Jira is asked for English, and other languages are understood too."""

from datetime import timedelta
from typing import Any

import pytest
from requests_mock import Mocker

from development.sandbox import Sandbox
from integrations.jira import errors
from integrations.jira.client import JiraClient
from integrations.jira.credentials import Credentials
from integrations.jira.http import JiraHttp
from integrations.jira.issue_lookup import MarkedSearch
from integrations.jira.session import make_session
from integrations.tests.fake_jira import ISSUE, MakeClient, deadline_in

SITE = "https://example.atlassian.net"
META = f"{SITE}/rest/api/3/issue/createmeta/SCRUM/issuetypes"
UNSUPPORTED = (
    "No podemos crear esta incidencia ahora; tal vez introdujiste contenido no "
    "compatible en uno o varios de los campos."
)
SCREEN = ["project", "issuetype", "summary", "description", "labels"]


@pytest.fixture
def client(requests_mock: Mocker) -> JiraClient:
    """A client of a site whose create screen has the fields of SCREEN."""
    requests_mock.get(f"{SITE}/rest/api/3/myself", json={"accountId": "1"})
    requests_mock.get(META, json={"issueTypes": [{"id": "7", "name": "Task"}]})
    fields = [{"fieldId": name, "name": name.capitalize()} for name in SCREEN]
    requests_mock.get(f"{META}/7", json={"fields": fields})
    return JiraClient(
        JiraHttp(
            base_url=SITE,
            credentials=Credentials(email="jira@example.com", api_token="canary-token"),
            session=make_session(threads=1),
            connect_timeout=1,
            read_timeout=1,
        )
    )


def create_error(
    client: JiraClient, requests_mock: Mocker, *messages: str, **by_field: str
) -> errors.JiraError:
    """Return the error of a creation that Jira rejects with 400."""
    body = {"errorMessages": messages, "errors": by_field}
    requests_mock.post(f"{SITE}/rest/api/3/issue", status_code=400, json=body)
    with pytest.raises(errors.NothingCreated) as caught:
        client.create_issue(ISSUE, deadline=deadline_in())
    assert "ry again" not in str(caught.value)
    assert not caught.value.retryable
    return caught.value


def test_every_request_asks_for_english(make_client: MakeClient, jira: Sandbox) -> None:
    client, deadline = make_client(), deadline_in()
    client.create_issue(ISSUE, deadline=deadline)
    client.lookup.search(["SCRUM"], "x", deadline=deadline)
    client.metadata.myself(deadline=deadline)
    client.metadata.cloud_id(deadline=deadline)

    asked = [
        (sent.headers["Accept-Language"], sent.headers["X-Force-Accept-Language"])
        for sent in jira.requests
    ]
    assert asked == [("en", "true")] * 4


@pytest.mark.parametrize(
    ("by_field", "kind", "words"),
    [
        (
            {"project": "Especifica un ID de proyecto válido"},
            errors.JiraProjectInvalid,
            "Jira project SCRUM does not exist",
        ),
        (
            {"pid": "有効なプロジェクトが必要です。"},
            errors.JiraProjectInvalid,
            "Jira project SCRUM does not exist",
        ),
        (
            {"issuetype": "El tipo de incidencia no es válido."},
            errors.JiraIssueTypeInvalid,
            "has no issue type “Task”",
        ),
        (
            {"summary": "El resumen es demasiado largo."},
            errors.JiraFieldRejected,
            "title: El resumen es demasiado largo. Change the text",
        ),
        (
            {"labels": "La etiqueta contiene espacios."},
            errors.JiraFieldRejected,
            "Labels: La etiqueta contiene espacios. Correct it in the settings",
        ),
        (
            {"customfield_9": "No está en la pantalla adecuada."},
            errors.JiraFieldRejected,
            "on the create screen of SCRUM, or remove it from the integration's",
        ),
        (
            {"description": "El texto supera el límite de 32.767 caracteres."},
            errors.JiraContentTooLong,
            "Shorten it",
        ),
        (
            {"description": "文本太长。超过了 32,767 个字符的限制。"},
            errors.JiraContentTooLong,
            "Shorten it",
        ),
        (
            {"parent": "Selecciona una incidencia principal válida."},
            errors.JiraFieldRejected,
            "Selecciona una incidencia principal válida.",
        ),
    ],
)
def test_error_in_another_language_is_recognized_by_its_field(
    client: JiraClient,
    requests_mock: Mocker,
    by_field: dict[str, str],
    kind: type[errors.JiraError],
    words: str,
) -> None:
    error = create_error(client, requests_mock, **by_field)

    assert type(error) is kind
    assert words in str(error)


@pytest.mark.parametrize(
    "message",
    [
        UNSUPPORTED,
        "Wir können diesen Vorgang derzeit nicht für Sie erstellen.",
        "現在、この課題を作成できません。",
        "Something about the ticket that no rule knows.",
    ],
)
def test_rejection_that_names_no_field_quotes_jira_and_blames_the_contents(
    client: JiraClient, requests_mock: Mocker, message: str
) -> None:
    error = create_error(client, requests_mock, message)

    assert type(error) is errors.JiraFieldRejected
    assert message.rstrip(".") in str(error)
    assert "Change the title or the description" in str(error)


@pytest.mark.parametrize(
    "body",
    [
        {"message": "Solicitud <b>incorrecta</b>.", "status-code": 400},
        {"code": 400, "message": "Solicitud incorrecta"},
        {"title": "Bad", "status": 400, "detail": "Solicitud incorrecta"},
    ],
)
def test_reason_in_another_shape_is_quoted_and_blames_no_address(
    client: JiraClient, requests_mock: Mocker, body: dict[str, Any]
) -> None:
    requests_mock.post(f"{SITE}/rest/api/3/issue", status_code=400, json=body)

    with pytest.raises(errors.JiraBadResponse) as caught:
        client.create_issue(ISSUE, deadline=deadline_in())

    assert "created no ticket (status 400). Jira says: Solicitud" in str(caught.value)
    assert "address" not in str(caught.value)
    assert not caught.value.retryable


def test_rejection_that_names_no_field_may_come_from_an_invalid_token(
    client: JiraClient, requests_mock: Mocker
) -> None:
    requests_mock.get(f"{SITE}/rest/api/3/myself", status_code=401)

    error = create_error(client, requests_mock, "No has iniciado sesión.")

    assert type(error) is errors.JiraAuthFailed


@pytest.mark.parametrize(
    "message",
    [
        "The value 'FACILITIES' does not exist for the field 'project'.",
        "El valor 'FACILITIES' no existe para el campo 'proyecto'.",
        "Der Wert „facilities“ ist für das Feld „project“ nicht vorhanden.",
        "フィールド 'project' に値 'FACILITIES' は存在しません。",
    ],
)
@pytest.mark.parametrize("marked", [False, True])
def test_search_in_a_project_that_is_not_there_blames_the_project(
    client: JiraClient, requests_mock: Mocker, message: str, marked: bool
) -> None:
    body = {"errorMessages": [message], "warningMessages": []}
    requests_mock.post(f"{SITE}/rest/api/3/search/jql", status_code=400, json=body)

    with pytest.raises(errors.JiraProjectInvalid) as caught:
        search(client, "FACILITIES", marked=marked)

    assert "Jira project FACILITIES does not exist" in str(caught.value)
    assert "Choose another one" in str(caught.value)


@pytest.mark.parametrize(
    "message",
    [
        "The value 'FACILITIES_2' does not exist for the field 'project'.",
        "The value 'FACILITIES-2' does not exist for the field 'parent'.",
        "The provided next page token is invalid or expired.",
        "Error in the JQL Query: Unexpected text.",
    ],
)
def test_search_that_fails_for_another_reason_does_not_blame_the_project(
    client: JiraClient, requests_mock: Mocker, message: str
) -> None:
    body = {"errorMessages": [message], "errors": {}}
    requests_mock.post(f"{SITE}/rest/api/3/search/jql", status_code=400, json=body)

    with pytest.raises(errors.JiraBadResponse) as caught:
        search(client, "FACILITIES")

    assert message.rstrip(".") in str(caught.value)
    assert "ry again" not in str(caught.value)


def search(client: JiraClient, project_key: str, *, marked: bool = False) -> Any:
    """Search tickets by words or, for recovery, by their marker."""
    if not marked:
        return client.lookup.search([project_key], "x", deadline=deadline_in())
    marked_search = MarkedSearch(
        created_after=timedelta(minutes=5), project_key=project_key
    )
    pages = client.lookup.search_marked(
        "killthenoise", marked_search, deadline=deadline_in()
    )
    return list(pages)
