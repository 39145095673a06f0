"""Queries for projects and tickets of a tenant's Jira, and how the API shows them."""

from typing import Any

from rest_framework import serializers

from integrations.serializers import ProjectKeyField
from killthenoise.api.fields import LimitField, TextField
from killthenoise.api.openapi import TrueField
from killthenoise.api.serializers import InputSerializer
from killthenoise.api.text import clean_title

MAX_QUERY = 255


class QuerySerializer(InputSerializer):
    """`?q=…`: a ticket's key or number, or words of its summary."""

    q = TextField(
        name="search text",
        clean=clean_title,
        limit=MAX_QUERY,
        allow_blank=True,
        default="",
    )


class FoundTicketSerializer(serializers.Serializer[Any]):
    """A ticket that the search found."""

    key = serializers.CharField()
    summary = serializers.CharField()
    status = serializers.CharField()
    url = serializers.URLField()


class ProjectSerializer(serializers.Serializer[Any]):
    """A project and the names of its issue types, except subtasks."""

    id = serializers.CharField()
    key = serializers.CharField()
    name = serializers.CharField()
    issue_types = serializers.ListField(child=serializers.CharField())


class ProjectListSerializer(serializers.Serializer[Any]):
    """Projects in the shape that the front end reads."""

    success = TrueField()
    projects = ProjectSerializer(many=True)


class IssueQuerySerializer(InputSerializer):
    """`?status=&assignee=&project=&limit=`; another parameter is an error."""

    status = TextField(
        name="status", clean=clean_title, limit=MAX_QUERY, allow_blank=True, default=""
    )
    assignee = TextField(
        name="assignee",
        clean=clean_title,
        limit=MAX_QUERY,
        allow_blank=True,
        default="",
    )
    project = ProjectKeyField(allow_blank=True, default="")
    limit = LimitField(default=20)

    default_error_messages = {
        "unknown": "There is no parameter {name}. Use status, assignee, project or "
        "limit."
    }

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        known = {*self.fields, "tenant_id"}
        for name in set(self.initial_data) - known:
            raise serializers.ValidationError(
                {name: self.error_messages["unknown"].format(name=name)}
            )
        return attrs


class IssueSerializer(serializers.Serializer[Any]):
    """A ticket as Jira shows it now. A missing value is "" or null."""

    id = serializers.CharField()
    key = serializers.CharField()
    summary = serializers.CharField(allow_blank=True)
    status = serializers.CharField(allow_blank=True)
    priority = serializers.CharField(allow_blank=True)
    assignee = serializers.CharField(allow_blank=True)
    issue_type = serializers.CharField(allow_blank=True)
    project = serializers.CharField()
    created = serializers.DateTimeField(allow_null=True)
    updated = serializers.DateTimeField(allow_null=True)
    url = serializers.URLField()


class IssueListSerializer(serializers.Serializer[Any]):
    """Tickets in the shape that the front end reads."""

    success = TrueField()
    issues = IssueSerializer(many=True)
    total = serializers.IntegerField(min_value=0)
    max_results = serializers.IntegerField(min_value=1)


class OneIssueSerializer(serializers.Serializer[Any]):
    """A ticket in the shape that the front end reads."""

    success = TrueField()
    issue = IssueSerializer()
