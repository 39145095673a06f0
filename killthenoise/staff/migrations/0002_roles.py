from django.contrib.auth.management import create_permissions
from django.db import migrations

from killthenoise.staff.roles import ROLES, create_roles


def create(apps, schema_editor):
    # Django creates permissions only after all migrations.
    for config in apps.get_app_configs():
        config.models_module = True
        create_permissions(config, apps=apps, verbosity=0)
        config.models_module = None
    create_roles(apps)


def delete(apps, schema_editor):
    apps.get_model('auth', 'Group').objects.filter(name__in=ROLES).delete()


class Migration(migrations.Migration):

    dependencies = [
        ('staff', '0001_initial'),
        ('audit', '0001_initial'),
        ('integrations', '0001_initial'),
        ('issues', '0002_rename_backlink'),
    ]

    operations = [migrations.RunPython(create, delete)]
