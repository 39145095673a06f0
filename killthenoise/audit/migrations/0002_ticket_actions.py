
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('audit', '0001_initial'),
    ]

    operations = [
        migrations.AlterField(
            model_name='auditevent',
            name='action',
            field=models.CharField(choices=[('ticket.create', 'Create a ticket'), ('ticket.link', 'Link a ticket'), ('ticket.unlink', 'Unlink a ticket'), ('ticket.settle', 'Settle a ticket request by hand'), ('ticket.duplicate', 'Find a duplicate ticket'), ('jira.connect', 'Connect Jira'), ('jira.update', 'Change a Jira integration'), ('jira.disconnect', 'Disconnect Jira'), ('admin.add', 'Add in the admin'), ('admin.change', 'Change in the admin'), ('admin.delete', 'Delete in the admin'), ('keys.rotate', 'Rotate encryption keys')], max_length=50),
        ),
    ]
