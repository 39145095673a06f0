"""Webhooks are told of the tickets that are created from now on."""

from django.db import migrations, models


def announce_later(apps, schema_editor):
    """Announce the requests that are open now once their tickets are created."""
    requests = apps.get_model("issues", "TicketRequest").objects
    requests.filter(state__in=["pending", "unknown"]).update(announced=False)


class Migration(migrations.Migration):

    dependencies = [
        ('integrations', '0006_token_expires_at'),
        ('issues', '0011_remote_link_of_a_group'),
    ]

    operations = [
        # A constant default for the rows that exist: PostgreSQL rewrites none of them.
        migrations.AddField(
            model_name='ticketrequest',
            name='announced',
            field=models.BooleanField(db_default=True, default=True, editable=False),
        ),
        migrations.AlterField(
            model_name='ticketrequest',
            name='announced',
            field=models.BooleanField(db_default=False, default=False, editable=False),
        ),
        migrations.AddIndex(
            model_name='ticketrequest',
            index=models.Index(condition=models.Q(('announced', False), ('state', 'created')), fields=['finished_at'], name='ticketrequest_unannounced'),
        ),
        migrations.RunPython(announce_later, migrations.RunPython.noop),
    ]
