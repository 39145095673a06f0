from django.contrib.auth.management import create_permissions
from django.db import migrations

from killthenoise.staff.roles import create_roles


def add_permissions(apps, schema_editor):
    # Django creates permissions only after all migrations.
    config = apps.get_app_config('issues')
    config.models_module = True
    create_permissions(config, apps=apps, verbosity=0)
    config.models_module = None
    create_roles(apps)


class Migration(migrations.Migration):

    dependencies = [
        ('staff', '0002_roles'),
        ('issues', '0019_list_jobs'),
    ]

    operations = [migrations.RunPython(add_permissions, migrations.RunPython.noop)]
