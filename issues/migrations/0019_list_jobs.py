
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('issues', '0018_newest_with_ticket'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='rulerun',
            options={'verbose_name': 'set of rules', 'verbose_name_plural': 'rules'},
        ),
        migrations.AddIndex(
            model_name='ticketjob',
            index=models.Index(fields=['-created_at', '-id'], name='ticketjob_newest'),
        ),
    ]
