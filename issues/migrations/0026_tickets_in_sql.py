"""Drop the function that showed a group's tickets: groups.list_sql does so."""

from importlib import import_module

from django.db import migrations

filters = import_module('issues.migrations.0013_list_filters')


def drop(apps, schema_editor):
    if schema_editor.connection.vendor == 'postgresql':
        schema_editor.execute('DROP FUNCTION issues_jira_tickets')


def create(apps, schema_editor):
    if schema_editor.connection.vendor == 'postgresql':
        schema_editor.execute(filters.JIRA_TICKETS, params=None)


class Migration(migrations.Migration):
    dependencies = [('issues', '0025_status_of_sources')]
    operations = [migrations.RunPython(drop, create)]
