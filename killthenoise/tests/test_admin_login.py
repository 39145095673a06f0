"""Login to the admin: lockout after wrong passwords, and short sessions."""

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
