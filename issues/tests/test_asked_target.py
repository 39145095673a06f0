"""What requests name of the tickets' targets, and how it is compared and stored."""

import json
from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID

import pytest

from integrations.services import AskedTarget
from issues.claims import hash_content
from issues.jobs.services import JobItemSerializer
from issues.models import JobItem, TicketRequest

TENANT, GROUP = UUID(int=1), UUID(int=2)


@dataclass(frozen=True, kw_only=True)
class LaterTarget(AskedTarget):
    """The same in a later release, which knows one more value."""

    priority: str = ""


def hash_asked(asked: AskedTarget) -> str:
    row = TicketRequest(
        tenant_id=TENANT, group_id=GROUP, title="Title", description="Text"
    )
    return hash_content(row, asked)


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        (AskedTarget(), []),
        (AskedTarget(project_key="OPS"), ["OPS", ""]),
        (AskedTarget(issue_type="Bug"), ["", "Bug"]),
        (AskedTarget(project_key="OPS", issue_type="Bug"), ["OPS", "Bug"]),
    ],
)
def test_hash_of_a_request_is_the_one_of_earlier_releases(
    asked: AskedTarget, named: list[str]
) -> None:
    content = json.dumps([str(TENANT), str(GROUP), "Title", "Text", *named])

    assert hash_asked(asked) == sha256(content.encode()).hexdigest()


@pytest.mark.parametrize("named", [{}, {"project_key": "OPS"}, {"issue_type": "Bug"}])
def test_new_value_does_not_change_the_hash_of_requests_without_it(
    named: dict[str, str],
) -> None:
    assert hash_asked(LaterTarget(**named)) == hash_asked(AskedTarget(**named))
    assert hash_asked(LaterTarget(**named, priority="High")) not in {
        hash_asked(AskedTarget(**named)),
        hash_asked(LaterTarget(**named, priority="Low")),
    }


def test_item_of_a_job_stores_what_the_request_names() -> None:
    given = {"group_id": "1", "project_key": "ops", "issue_type": " Bug "}
    serializer = JobItemSerializer(data=given)
    serializer.is_valid(raise_exception=True)
    asked = serializer.validated_data["asked"]

    assert asked == AskedTarget(project_key="OPS", issue_type="Bug")
    assert AskedTarget.of(JobItem(**asked.as_data())) == asked
    assert AskedTarget.of(JobItem()).as_data() == {}
