"""The issue types of a project, and the one that an integration names.

A name may be in English or in the account's language, in any case. Jira's lists are
cached for a short time.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar, cast

from django.core.cache import cache

from integrations.connections.accounts import jira_client
from integrations.jira.metadata import IssueType, find_issue_type
from integrations.models import Integration

CACHE_S = 30
"""Seconds that issue types and fields are cached. A changed integration bypasses it."""
MAX_CACHED = 256 * 1024
"""Characters. The cache keeps hundreds of entries, even expired ones."""
ENGLISH, NATIVE = "types", "types-native"

T = TypeVar("T")


def read_cached(
    integration: Integration, project_key: str, name: str, read: Callable[[], T]
) -> T:
    """Return the cached result of `read`, or call it now."""
    key = _cache_key(integration, project_key, name)
    found = cache.get(key)
    if found is None:
        found = read()
        if len(repr(found)) <= MAX_CACHED:
            cache.set(key, found, CACHE_S)
    return cast(T, found)


def list_issue_types(
    integration: Integration, project_key: str, *, deadline: float, name: str = ENGLISH
) -> list[IssueType]:
    """Return the issue types, with names in English, or in the account's language.

    Raises JiraErrors.
    """
    metadata = jira_client(integration).metadata
    return read_cached(
        integration,
        project_key,
        name,
        lambda: metadata.issue_types(
            project_key, deadline=deadline, english=name == ENGLISH
        ),
    )


def get_issue_type(
    integration: Integration, project_key: str, issue_type: str, *, deadline: float
) -> IssueType | None:
    """Return the issue type that a name stands for, or None if there is none.

    Raises JiraErrors.
    """
    for language in (ENGLISH, NATIVE):
        types = list_issue_types(
            integration, project_key, deadline=deadline, name=language
        )
        if found := find_issue_type(types, issue_type):
            return found
    return None


def get_cached_type_id(
    integration: Integration, project_key: str, issue_type: str
) -> str:
    """Return the id to send instead of the name, or "" to send the name.

    The name is sent if it is unique, or if nothing is cached. Jira is not called.
    """
    for language in (ENGLISH, NATIVE):
        key = _cache_key(integration, project_key, language)
        types: Sequence[IssueType] = cache.get(key) or ()
        if found := find_issue_type(types, issue_type):
            named = [one for one in types if one.name == issue_type]
            is_enough = language == ENGLISH and len(named) == 1
            return "" if is_enough else found.id
    return ""


def _cache_key(integration: Integration, project_key: str, name: str) -> str:
    version = integration.updated_at.timestamp()
    return f"jira:{integration.pk}:{version}:{project_key}:{name}"
