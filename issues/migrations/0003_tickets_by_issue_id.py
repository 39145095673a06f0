import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


def copy_issue_ids(apps, schema_editor):
    """Give the reports of created tickets the id that their requests have."""
    requests = apps.get_model("issues", "TicketRequest").objects.filter(
        report=models.OuterRef("pk")
    )
    issue_id = models.Subquery(requests.values("jira_issue_id")[:1])
    reports = apps.get_model("issues", "Report").objects
    reports.filter(models.Exists(requests)).update(jira_issue_id=issue_id)


class Migration(migrations.Migration):

    dependencies = [
        ('integrations', '0001_initial'),
        ('issues', '0002_rename_backlink'),
    ]

    operations = [
        migrations.CreateModel(
            name='Sweep',
            fields=[
                ('integration', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='sweep', serialize=False, to='integrations.integration')),
                ('swept_until', models.DateTimeField(blank=True, null=True)),
                ('started_at', models.DateTimeField(blank=True, null=True)),
                ('position', models.DateTimeField(blank=True, null=True)),
                ('due_at', models.DateTimeField(default=django.utils.timezone.now)),
            ],
        ),
        migrations.RemoveConstraint(
            model_name='ticketrequest',
            name='ticketrequest_created_names_ticket',
        ),
        migrations.AddField(
            model_name='report',
            name='jira_issue_id',
            field=models.CharField(blank=True, editable=False, max_length=64),
        ),
        migrations.AddField(
            model_name='ticketrequest',
            name='cloud_id',
            field=models.UUIDField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='ticketrequest',
            name='settled_by',
            field=models.CharField(blank=True, max_length=255),
        ),
        migrations.AddField(
            model_name='ticketrequest',
            name='unlinked_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AlterField(
            model_name='report',
            name='external_id',
            field=models.CharField(blank=True, max_length=255, verbose_name='external ID'),
        ),
        migrations.RunPython(copy_issue_ids, migrations.RunPython.noop),
        migrations.AddIndex(
            model_name='ticketrequest',
            index=models.Index(condition=models.Q(('state', 'created')), fields=['tenant_id', 'jira_issue_id'], name='ticketrequest_jira_issue'),
        ),
        migrations.AddConstraint(
            model_name='report',
            constraint=models.UniqueConstraint(condition=models.Q(('jira_issue_id', ''), _negated=True), fields=('group', 'jira_issue_id'), name='report_one_per_jira_issue'),
        ),
        migrations.AddConstraint(
            model_name='ticketrequest',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state', 'created'), _negated=True), models.Q(models.Q(('ticket_key', ''), _negated=True), models.Q(('ticket_url', ''), _negated=True)), _connector='OR'), name='ticketrequest_created_names_ticket'),
        ),
        migrations.AddConstraint(
            model_name='ticketrequest',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('jira_issue_id', ''), ('state', 'created'), _negated=True), models.Q(('settled_by', ''), _negated=True), _connector='OR'), name='ticketrequest_created_has_issue_id'),
        ),
    ]
