from importlib import import_module

from django.db import migrations, models

# What the database had before this migration.
BEFORE = import_module('issues.migrations.0021_list_columns')
OF_GROUP = 'tenant_id, updated_at, created_at, severity, status, team_id'
STATISTICS = f"""{OF_GROUP}, frequency, sources, has_ticket,
  has_new, has_indeterminate, has_done, has_gone, has_recurred"""
EXCLUDED = ', '.join(f'excluded.{name.strip()}' for name in STATISTICS.split(','))
SOURCES = """(
  SELECT group_id, source, tenant_id, updated_at, created_at, severity, status
  FROM issues_groupstatistics, jsonb_to_recordset(sources) AS counts (source varchar))"""
COUNT = f"""
CREATE OR REPLACE FUNCTION issues_count_groups(
  ids uuid[], are_reports_added boolean = false)
RETURNS void LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
BEGIN
  IF ids IS NULL THEN RETURN; END IF;
  PERFORM FROM issues_groupstatistics WHERE group_id = ANY (ids)
    ORDER BY group_id FOR NO KEY UPDATE;
  INSERT INTO issues_groupstatistics (group_id, {STATISTICS})
    SELECT group_id, {STATISTICS} FROM issues_groupcounts WHERE group_id = ANY (ids)
    ORDER BY group_id
    ON CONFLICT (group_id) DO UPDATE SET ({STATISTICS}) =
      (SELECT {EXCLUDED});
  IF NOT are_reports_added THEN
    DELETE FROM issues_groupsource source WHERE group_id = ANY (ids) AND NOT EXISTS (
      SELECT FROM {SOURCES} counted
      WHERE (counted.group_id, counted.source) = (source.group_id, source.source));
  END IF;
  INSERT INTO issues_groupsource AS stored
      (group_id, source, tenant_id, updated_at, created_at, severity, status)
    SELECT * FROM {SOURCES} counted WHERE group_id = ANY (ids)
    ON CONFLICT (group_id, source) DO UPDATE
      SET (tenant_id, updated_at, created_at, severity, status) = (SELECT
        excluded.tenant_id, excluded.updated_at, excluded.created_at,
        excluded.severity, excluded.status)
      WHERE (stored.tenant_id, stored.updated_at, stored.created_at,
          stored.severity, stored.status)
        IS DISTINCT FROM (excluded.tenant_id, excluded.updated_at, excluded.created_at,
          excluded.severity, excluded.status);
END $$
"""
GROUPS_CHANGED = f"""
CREATE OR REPLACE FUNCTION issues_groups_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO issues_groupstatistics (group_id, {STATISTICS})
      SELECT id, tenant_id, updated_at, created_at, coalesce(severity, -2147483648),
        status, team_id, 0, '[]', false, false, false, false, false, false
      FROM new_rows ORDER BY id ON CONFLICT (group_id) DO NOTHING;
  ELSIF TG_OP = 'UPDATE' THEN
    PERFORM FROM issues_groupstatistics JOIN new_rows ON id = group_id
      ORDER BY group_id FOR NO KEY UPDATE OF issues_groupstatistics;
    UPDATE issues_groupstatistics SET ({OF_GROUP}) = (SELECT n.tenant_id, n.updated_at,
        n.created_at, coalesce(n.severity, -2147483648), n.status, n.team_id)
      FROM new_rows n JOIN old_rows o USING (id) WHERE group_id = id
      AND (o.tenant_id, o.updated_at, o.created_at, o.severity, o.status, o.team_id)
        IS DISTINCT FROM
        (n.tenant_id, n.updated_at, n.created_at, n.severity, n.status, n.team_id);
    UPDATE issues_groupsource SET (tenant_id, updated_at, created_at, severity, status) =
        (SELECT n.tenant_id, n.updated_at, n.created_at,
          coalesce(n.severity, -2147483648), n.status)
      FROM new_rows n JOIN old_rows o USING (id) WHERE group_id = id
      AND (o.tenant_id, o.updated_at, o.created_at, o.severity, o.status)
        IS DISTINCT FROM (n.tenant_id, n.updated_at, n.created_at, n.severity, n.status);
  ELSE
    DELETE FROM issues_groupstatistics WHERE group_id IN (SELECT id FROM old_rows);
    DELETE FROM issues_groupsource WHERE group_id IN (SELECT id FROM old_rows);
  END IF;
  RETURN NULL;
END $$
"""
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
