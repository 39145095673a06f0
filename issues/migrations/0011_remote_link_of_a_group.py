"""A remote link belongs to a ticket and a group, and stays after Jira has it."""

import random
import uuid
from datetime import timedelta

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models
from django.utils import timezone

BATCH = 1000


def copy_links(apps, schema_editor):
    """Keep the links that Jira does not have yet, and know those that it has.

    Until now a link was forgotten once it was sent. Those are compared with their
    groups within a day, spread over the time.
    """
    pending = apps.get_model("issues", "PendingRemoteLink").objects
    links = apps.get_model("issues", "RemoteLink").objects
    created = apps.get_model("issues", "TicketRequest").objects.filter(
        state="created", report__isnull=False
    )
    rows = created.exclude(jira_issue_id="").order_by("created_at")
    if not settings.FRONTEND_URL:
        rows = rows.filter(pk__in=pending.values("request_id"))
    waiting = {one.request_id: one for one in pending.iterator()}
    batch = []
    for request in rows.defer("description").iterator(chunk_size=BATCH):
        batch.append(build_link(links.model, request, waiting.get(request.pk)))
        if len(batch) == BATCH:
            links.bulk_create(batch, ignore_conflicts=True)
            batch = []
    links.bulk_create(batch, ignore_conflicts=True)


def build_link(model, request, waiting):
    seconds = random.randrange(86_400)  # nosec B311
    within_a_day = timezone.now() + timedelta(seconds=seconds)
    return model(
        tenant_id=request.tenant_id,
        group_id=request.group_id,
        base_url=request.base_url,
        cloud_id=request.cloud_id,
        jira_issue_id=request.jira_issue_id,
        ticket_key=request.ticket_key,
        title="" if waiting else f"KillTheNoise: {request.title}"[:255],
        attempts=waiting.attempts if waiting else 0,
        due_at=waiting.due_at if waiting else within_a_day,
        error_message=waiting.error_message if waiting else "",
    )


class Migration(migrations.Migration):

    dependencies = [
        ('issues', '0010_recurrences'),
    ]

    operations = [
        migrations.RenameModel('RemoteLink', 'PendingRemoteLink'),
        migrations.CreateModel(
            name='RemoteLink',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('tenant_id', models.UUIDField(verbose_name='tenant ID')),
                ('base_url', models.CharField(max_length=255)),
                ('cloud_id', models.UUIDField(blank=True, null=True)),
                ('jira_issue_id', models.CharField(max_length=64)),
                ('ticket_key', models.CharField(max_length=255)),
                ('title', models.CharField(blank=True, max_length=255)),
                ('resolved', models.BooleanField(default=False)),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('due_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('error_message', models.TextField(blank=True)),
                ('group', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='issues.aiissuegroup')),
            ],
            options={
                'indexes': [models.Index(fields=['due_at'], name='remotelink_due')],
                'constraints': [models.UniqueConstraint(fields=('group', 'base_url', 'jira_issue_id'), name='remotelink_one_per_ticket'), models.CheckConstraint(condition=models.Q(('jira_issue_id', ''), _negated=True), name='remotelink_has_issue_id')],
            },
        ),
        migrations.RunPython(copy_links, migrations.RunPython.noop),
        migrations.DeleteModel('PendingRemoteLink'),
    ]
