import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('integrations', '0002_site_identity'),
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
            model_name='report',
            name='report_one_per_external_id',
        ),
        migrations.RemoveConstraint(
            model_name='ticketrequest',
            name='ticketrequest_one_open_per_group',
        ),
        migrations.RemoveConstraint(
            model_name='ticketrequest',
            name='ticketrequest_created_names_ticket',
        ),
        migrations.RemoveIndex(
            model_name='report',
            name='report_newest_of_group',
        ),
        migrations.AddField(
            model_name='report',
            name='base_url',
            field=models.CharField(blank=True, editable=False, max_length=255),
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
            name='late_for',
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
        migrations.AddIndex(
            model_name='report',
            index=models.Index(models.F('group'), models.Case(models.When(source='jira', then=models.Value(0)), default=models.Value(1)), models.OrderBy(models.F('created_at'), descending=True), models.OrderBy(models.F('id'), descending=True), name='report_tickets_first'),
        ),
        migrations.AddIndex(
            model_name='ticketrequest',
            index=models.Index(condition=models.Q(('state', 'created')), fields=['tenant_id', 'jira_issue_id'], name='ticketrequest_jira_issue'),
        ),
        migrations.AddConstraint(
            model_name='report',
            constraint=models.UniqueConstraint(condition=models.Q(('external_id', ''), _negated=True), fields=('group', 'source', 'external_id', 'base_url'), name='report_one_per_external_id'),
        ),
        migrations.AddConstraint(
            model_name='report',
            constraint=models.UniqueConstraint(condition=models.Q(('jira_issue_id', ''), _negated=True), fields=('group', 'base_url', 'jira_issue_id'), name='report_one_per_jira_issue'),
        ),
        migrations.AddConstraint(
            model_name='ticketrequest',
            constraint=models.UniqueConstraint(condition=models.Q(('state__in', ['pending', 'unknown'])), fields=('tenant_id', 'group'), name='ticketrequest_one_open_per_group'),
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
