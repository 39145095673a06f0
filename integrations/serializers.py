"""The project and issue type of new tickets, which several requests accept."""

from typing import Any

from integrations.models import validate_project_key
from killthenoise.api.fields import TextField
from killthenoise.api.serializers import InputSerializer
from killthenoise.api.text import clean_title


def clean_key(text: str) -> str:
    """Return the key of a project in upper case, as in Jira."""
    return clean_title(text).upper()


class ProjectKeyField(TextField):
    """The key of a project."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            name="project key",
            clean=clean_key,
            limit=100,
            validators=[validate_project_key],
            **options,
        )


class ProjectAndTypeSerializer(InputSerializer):
    """The project and issue type of new tickets. Both are optional."""

    project_key = ProjectKeyField(required=False)
    issue_type = TextField(
        name="issue type", clean=clean_title, limit=100, required=False
    )
