"""A site that responds with a web page, or redirects to one, in place of Jira's API."""

import pytest

from development.sandbox import Sandbox
from integrations.jira.errors import JiraBadResponse
from integrations.tests.fake_jira import MakeClient, deadline_in
from killthenoise.tests.api import Api, assert_error

LOGIN = "<!DOCTYPE html><title>Sign in &mdash; Acme <b>SSO</b> &lt;x&gt;</title>"
HTML = {"Content-Type": "text/html; charset=utf-8"}
MYSELF = "/rest/api/3/myself"


def connect(api: Api, jira: Sandbox) -> str:
    """Connect Jira and return the sentence of the error."""
    path = f"/api/jira/integrations/{api.headers['X-Tenant-ID']}"
    response = api.request(
        "POST",
        path,
        json={
            "base_url": jira.url,
            "email": jira.email,
            "access_token": jira.api_token,
        },
    )
    message: str = assert_error(response, 400, "jira_bad_response")["message"]
    return message


@pytest.mark.parametrize("body", [LOGIN, "\n <html></html>", "<?xml version='1.0'?>"])
def test_login_page_is_named_with_what_to_do(
    api: Api, jira: Sandbox, body: str
) -> None:
    jira.inject(
        "response", method="GET", path=MYSELF, status=200, body=body, headers=HTML
    )

    message = connect(api, jira)

    assert message.startswith(f"{jira.url} responded with a web page")
    assert "single sign-on" in message
    assert "Check that the address" in message


def test_title_of_the_page_is_quoted_as_text(api: Api, jira: Sandbox) -> None:
    jira.inject("response", method="GET", path=MYSELF, body=LOGIN, headers=HTML)

    assert "(“Sign in — Acme SSO”)" in connect(api, jira)


def test_redirect_to_a_login_page_names_its_host(api: Api, jira: Sandbox) -> None:
    location = "https://sso.acme.example/login?token=secret"
    jira.inject("redirect", method="GET", path=MYSELF, location=location)

    message = connect(api, jira)

    assert "a redirect to sso.acme.example," in message
    assert "single sign-on" in message
    assert "secret" not in message


@pytest.mark.parametrize("location", ["", "/login", "http://[::1", "//\ud800\n"])
def test_redirect_to_an_odd_address_is_not_quoted(
    api: Api, jira: Sandbox, location: str
) -> None:
    location = location.encode("utf-8", "ignore").decode().strip()
    jira.inject("redirect", method="GET", path=MYSELF, location=location)

    assert "a redirect to another address," in connect(api, jira)


def test_web_page_is_no_ticket(make_client: MakeClient, jira: Sandbox) -> None:
    jira.inject("html", method="GET", path="/rest/api/3/issue/SCRUM-1")
    lookup = make_client().lookup

    with pytest.raises(JiraBadResponse, match="a web page"):
        lookup.find("SCRUM-1", deadline=deadline_in())


def test_account_that_is_missing_in_json_says_what_to_check(
    api: Api, jira: Sandbox
) -> None:
    jira.inject("response", method="GET", path=MYSELF, body={})

    message = connect(api, jira)

    assert "responded without an account. Check that the address" in message
