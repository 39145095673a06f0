"""The pages of errors outside the API, in the look of the admin."""

import pytest
from django.contrib.auth.models import User
from django.test import Client, RequestFactory
from django.urls import reverse

from issues.admin import ticket_requests
from issues.tests.factories import TicketRequestFactory
from killthenoise.views import server_error


def test_page_that_does_not_exist_says_so_and_leads_back(admin_client: Client) -> None:
    page = admin_client.get("/admin/no/such/page/")

    assert page.status_code == 404
    assert "There is no such page" in page.content.decode()
    assert f'href="{reverse("admin:index")}"' in page.content.decode()


def test_stranger_does_not_learn_the_path_of_the_admin(client: Client) -> None:
    page = client.get("/no/such/page")

    assert page.status_code == 404
    assert f'href="{reverse("admin:index")}' not in page.content.decode()


@pytest.mark.django_db
def test_page_that_the_role_does_not_permit_says_whom_to_ask(client: Client) -> None:
    client.force_login(User.objects.create_user("new", is_staff=True))

    page = client.get(reverse("admin:issues_ticketrequest_changelist"))

    assert page.status_code == 403
    assert "Ask a superuser" in page.content.decode()
    index = client.get(reverse("admin:index")).content.decode()
    assert "You have no role yet" in index


def test_failure_tells_the_request_id(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = TicketRequestFactory.create()
    monkeypatch.setattr(ticket_requests, "build_story", lambda *_, **__: 1 / 0)
    admin_client.raise_request_exception = False
    path = reverse("admin:issues_ticketrequest_change", args=[request.pk])

    page = admin_client.get(path, headers={"X-Request-ID": "find-me"})

    assert page.status_code == 500
    assert "the request ID find-me" in page.content.decode()


def test_failure_is_told_without_the_database() -> None:
    assert server_error(RequestFactory().get("/")).status_code == 500


def test_form_without_its_token_says_what_to_do(admin_user: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin_user)

    page = client.post(reverse("admin:auth_user_add"))

    assert page.status_code == 403
    assert "Nothing was changed" in page.content.decode()
