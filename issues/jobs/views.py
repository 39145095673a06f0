"""Endpoints of jobs: create many tickets, and see the progress."""

from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.urls import reverse
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from issues.errors import IdempotencyKeyReused, JobNotFound
from issues.jobs.services import (
    MAX_ITEMS,
    JobItemSerializer,
    get_job,
    read_progress,
    start_job,
)
from issues.jobs.workers import run_job
from issues.openapi import IDEMPOTENCY_KEY, TAG
from killthenoise.api.envelope import accepted, success
from killthenoise.api.fields import ShortListField
from killthenoise.api.openapi import envelope, operation, path_id
from killthenoise.api.request_budget import request_deadline
from killthenoise.api.request_data import get_caller, idempotency_key, validated
from killthenoise.api.serializers import InputSerializer
from killthenoise.api.slots import TenantBusy, outgoing_slot

JOB = [path_id("job_id", "The job.")]
THAT_JOB = {"job_id": "$response.body#/data/job_id"}


@extend_schema_field(JobItemSerializer)
class ItemField(serializers.DictField):
    """An item as it was sent. Each is validated by itself; one may fail alone."""


class CreateJiraTicketsSerializer(InputSerializer):
    """`{"items": [{"group_id", "title"?, …}]}`; other keys are ignored."""

    items = ShortListField(
        child=ItemField(
            error_messages={"not_a_dict": "Each item must be a JSON object."}
        ),
        max_length=MAX_ITEMS,
        min_length=1,
        sentence=f"The items must be a list of 1 to {MAX_ITEMS} objects.",
    )


class ResultSerializer(serializers.Serializer[Any]):
    """The result of an item. Unless it is `ok`, `message` says what to do."""

    group_id = serializers.CharField(allow_blank=True)
    ok = serializers.BooleanField()
    ticket_key = serializers.CharField(required=False)
    ticket_url = serializers.URLField(required=False)
    code = serializers.CharField(required=False)
    message = serializers.CharField(required=False)
    retryable = serializers.BooleanField(required=False)


class ProgressSerializer(serializers.Serializer[Any]):
    """The state of a job, and the results so far in the order of the request."""

    job_id = serializers.UUIDField()
    state = serializers.ChoiceField(["queued", "running", "done"])
    total = serializers.IntegerField()
    done = serializers.IntegerField()
    results = ResultSerializer(many=True)


class QueuedSerializer(serializers.Serializer[Any]):
    """Where to get the results."""

    job_id = serializers.UUIDField()
    status_url = serializers.CharField()


class CreateJiraTicketsView(APIView):
    @operation(
        "createJiraTickets",
        tag=TAG,
        parameters=[IDEMPOTENCY_KEY],
        request=CreateJiraTicketsSerializer,
        response=envelope("Job", ProgressSerializer()),
        accepted=envelope("QueuedJob", QueuedSerializer()),
        raises=[IdempotencyKeyReused, TenantBusy],
        links={"getJob": THAT_JOB},
    )
    def post(self, request: Request) -> Response:
        """Create exactly one Jira ticket from each of up to 100 groups.

        The response contains the results so far. If the request takes too long, the
        work continues in the background, and repeating the request continues it too.
        With a broker, the response is a 202 with `job_id` and `status_url`.
        """
        caller, key = get_caller(request), idempotency_key(request)
        items = validated(CreateJiraTicketsSerializer, request)["items"]
        deadline = request_deadline()
        with outgoing_slot(caller.tenant_id):
            job = start_job(items=items, caller=caller, idempotency_key=key)
            if settings.CELERY_BROKER_URL:
                url = reverse("job", args=[job.pk])
                data = {"job_id": job.pk, "status_url": url}
                return accepted(data, "The tickets are being created")
            run_job(job, deadline=deadline)
        progress = read_progress(job)
        return success(asdict(progress), progress.message)


class JobView(APIView):
    @operation(
        "getJob",
        tag=TAG,
        parameters=JOB,
        response=envelope("JobProgress", ProgressSerializer()),
        raises=[JobNotFound],
    )
    def get(self, request: Request, job_id: str) -> Response:
        """Show the progress of a job and the results so far."""
        job = get_job(tenant_id=get_caller(request).tenant_id, job_id=job_id)
        progress = read_progress(job)
        return success(asdict(progress), progress.message)
