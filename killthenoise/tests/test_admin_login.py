"""Login to the admin: lockout after wrong passwords, audit, and short sessions."""

from datetime import timedelta
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db.models import F
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from killthenoise.audit.models import AuditEvent
from killthenoise.tests.audit import only_event

GUESSES = 5
HOME = "192.0.2.1"


@pytest.fixture
def _admins(db: None, settings: Settings) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    for name in ("ann", "bob"):
        User.objects.create_superuser(name, password="right-password")


pytestmark = pytest.mark.usefixtures("_admins")


def log_in(name: str, password: str, address: str = HOME) -> Any:
    form = {"username": name, "password": password}
    return Client(REMOTE_ADDR=address).post(reverse("admin:login"), form)


def guess(times: int) -> None:
    for n in range(times):
        log_in("ann", f"wrong-{n}")


def test_guessing_locks_only_that_user_at_that_address() -> None:
    guess(GUESSES)

    assert log_in("ann", "right-password").status_code == 429
    assert log_in("ann", "right-password", "192.0.2.2").status_code == 302
    assert log_in("bob", "right-password").status_code == 302


def test_locked_user_learns_how_long_to_wait(settings: Settings) -> None:
    guess(GUESSES)

    page = log_in("ann", "right-password").content.decode()

    minutes = settings.AXES_COOLOFF_TIME.total_seconds() / 60
    assert f"Wait {minutes:g} minutes" in page
    assert "Account locked" in page


def test_forged_x_forwarded_for_does_not_unlock_a_user() -> None:
    guess(GUESSES)
    form = {"username": "ann", "password": "right-password"}

    response = Client(REMOTE_ADDR=HOME).post(
        reverse("admin:login"), form, headers={"X-Forwarded-For": "198.51.100.7"}
    )

    assert response.status_code == 429


def test_successful_login_resets_the_count_of_wrong_passwords() -> None:
    for _ in range(2):
        guess(GUESSES - 1)
        assert log_in("ann", "right-password").status_code == 302


def test_lock_ends_after_fifteen_minutes() -> None:
    guess(GUESSES)
    past = F("attempt_time") - timedelta(minutes=16)
    AccessAttempt.objects.update(attempt_time=past)

    assert log_in("ann", "right-password").status_code == 302


def test_wrong_passwords_are_not_stored_or_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    guess(GUESSES)

    (kept,) = AccessAttempt.objects.values()
    assert "wrong-" not in str(kept)
    assert "wrong-" not in caplog.text


def test_session_ends_with_the_browser_or_after_eight_hours() -> None:
    response = log_in("ann", "right-password")

    cookie = response.cookies["sessionid"]
    assert (cookie["expires"], cookie["max-age"]) == ("", "")
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert response.client.session.get_expiry_age() == 8 * 3600


def test_password_of_fewer_than_twelve_characters_is_rejected() -> None:
    validate_password("q8#vbn2!kx0p")
    with pytest.raises(ValidationError, match="12 characters"):
        validate_password("q8#vbn2!kx0")


def test_guessing_the_passwords_of_many_users_locks_the_address() -> None:
    for n in range(20):
        assert log_in(f"user-{n}", "wrong").status_code == 200

    locked = log_in("ann", "right-password")

    assert locked.status_code == 429
    assert log_in("ann", "right-password", "192.0.2.2").status_code == 302


def test_lock_of_an_address_ends_after_fifteen_minutes() -> None:
    for n in range(20):
        log_in(f"user-{n}", "wrong")
    past = F("attempt_time") - timedelta(minutes=16)
    AccessAttempt.objects.update(attempt_time=past)

    assert log_in("ann", "right-password").status_code == 302


def test_locked_out_page_looks_like_the_admin_and_says_what_to_do() -> None:
    guess(GUESSES)

    page = log_in("ann", "right-password").content.decode()

    assert (
        "There were too many failed logins. Wait 15 minutes and try again, or ask who "
        "runs this server." in page
    )
    assert "KillTheNoise" in page
    assert "admin/css/base.css" in page


def test_login_is_audited(caplog: pytest.LogCaptureFixture) -> None:
    log_in("ann", "right-password")

    event = only_event(caplog)
    assert (event.action, event.outcome, event.actor) == (
        "admin.login",
        "ok",
        "admin:ann",
    )
    assert event.object_id == str(User.objects.get(username="ann").pk)
    assert event.client_ip == HOME
    assert event.request_id


@pytest.mark.parametrize(
    ("name", "actor"),
    [
        ("ann", "admin:ann"),
        ("my-password", "admin:unknown user"),
    ],
)
def test_failed_login_is_audited_without_what_was_typed(
    caplog: pytest.LogCaptureFixture, name: str, actor: str
) -> None:
    log_in(name, "wrong-password")

    event = only_event(caplog)
    assert (event.action, event.outcome, event.actor) == (
        "admin.login",
        "login_failed",
        actor,
    )
    assert "password" not in str(AuditEvent.objects.values())


@pytest.mark.parametrize("name", ["nul\0", "x" * 151])
def test_username_that_cannot_exist_is_refused(name: str) -> None:
    assert log_in(name, "wrong-password").status_code == 400
    assert not AuditEvent.objects.exists()


def test_login_that_is_locked_adds_no_audit_event() -> None:
    guess(GUESSES)
    before = AuditEvent.objects.count()

    log_in("ann", "right-password")

    assert AuditEvent.objects.count() == before == GUESSES


def test_change_of_the_own_password_is_audited_without_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    client = Client()
    client.force_login(User.objects.get(username="ann"))
    new = "a-canary-password"
    form = {"old_password": "right-password", "new_password1": new}

    client.post(reverse("admin:password_change"), form | {"new_password2": "other"})
    client.post(reverse("admin:password_change"), form | {"new_password2": new})

    event = only_event(caplog)
    assert (event.action, event.outcome, event.actor) == (
        "admin.password",
        "ok",
        "admin:ann",
    )
    assert new not in caplog.text


def test_login_attempts_have_a_plain_name(admin_client: Client) -> None:
    page = admin_client.get(reverse("admin:index")).content.decode()

    assert "Login attempts" in page
    assert "Axes" not in page


@pytest.mark.parametrize(
    "page",
    [
        "issues_aiissuegroup",
        "issues_report",
        "issues_ticketrequest",
        "issues_remotelink",
        "integrations_integration",
        "audit_auditevent",
        "auth_user",
        "axes_accessattempt",
    ],
)
@pytest.mark.parametrize("query", ["q=%00", "status__exact=%00", "tenant_id=a%00b"])
def test_nul_in_the_query_is_refused(
    admin_client: Client, page: str, query: str
) -> None:
    path = reverse(f"admin:{page}_changelist")

    assert admin_client.get(f"{path}?{query}").status_code == 400
