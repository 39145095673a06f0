from django.db import migrations

# To plan a search, PostgreSQL compares its text with each sample of the index.
SAMPLES = 'ALTER INDEX IF EXISTS aiissuegroup_text ALTER COLUMN 1 SET STATISTICS {}'


def fewer(apps, schema_editor):
    _set(schema_editor, 25)


def default(apps, schema_editor):
    _set(schema_editor, -1)


def _set(schema_editor, count):
    if schema_editor.connection.vendor == 'postgresql':
        schema_editor.execute(SAMPLES.format(count))


class Migration(migrations.Migration):

    dependencies = [
        ('issues', '0025_status_of_sources'),
    ]

    operations = [migrations.RunPython(fewer, default)]
