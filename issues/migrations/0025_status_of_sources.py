from importlib import import_module

from django.db import migrations, models

# What the database had at this migration: frozen, not shared with the code.
BEFORE = import_module('issues.migrations.0021_list_columns')
COLUMNS = 'tenant_id, updated_at, created_at, severity'
COUNT = (
    BEFORE.COUNT.replace(f'source, {COLUMNS}\n', f'source, {COLUMNS}, status\n')
    .replace(f'source, {COLUMNS})', f'source, {COLUMNS}, status)')
    .replace(f'SET ({COLUMNS})', f'SET ({COLUMNS}, status)')
    .replace('excluded.severity)', 'excluded.severity, excluded.status)')
    .replace('stored.severity)', 'stored.severity, stored.status)')
)
SOURCES_CHANGED = BEFORE.GROUPS_CHANGED.index('UPDATE issues_groupsource')
GROUPS_CHANGED = BEFORE.GROUPS_CHANGED[:SOURCES_CHANGED] + (
    BEFORE.GROUPS_CHANGED[SOURCES_CHANGED:]
    .replace(f'SET ({COLUMNS})', f'SET ({COLUMNS}, status)')
    .replace('coalesce(n.severity, -2147483648))', 'coalesce(n.severity, -2147483648), n.status)')
    .replace('o.severity)', 'o.severity, o.status)')
    .replace('n.severity);', 'n.severity, n.status);')
)
FILL = """
UPDATE issues_groupsource source SET status = statistics.status
  FROM issues_groupstatistics statistics WHERE statistics.group_id = source.group_id
"""


def replace(apps, schema_editor):
    _execute(schema_editor, [COUNT, GROUPS_CHANGED, FILL])


def restore(apps, schema_editor):
    _execute(schema_editor, [BEFORE.COUNT, BEFORE.GROUPS_CHANGED])


def _execute(schema_editor, statements):
    if schema_editor.connection.vendor == 'postgresql':
        for statement in statements:
            schema_editor.execute(statement, params=None)


class Migration(migrations.Migration):

    dependencies = [
        ('issues', '0024_list_combinations'),
    ]

    operations = [
        migrations.AddField(
            model_name='groupsource',
            name='status',
            field=models.CharField(db_default='', max_length=50),
        ),
        migrations.RunPython(replace, restore),
        migrations.AddIndex(
            model_name='groupsource',
            index=models.Index(condition=models.Q(('source', 'jira'), _negated=True), fields=['tenant_id', 'source', 'status', '-updated_at', '-group'], name='groupsource_status'),
        ),
    ]
