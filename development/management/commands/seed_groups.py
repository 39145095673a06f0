"""Fills PostgreSQL with many groups, reports and tickets, to measure the list with."""

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from tqdm import tqdm

TENANT_ID = UUID("00000000-0000-4000-8000-00000000000b")
"""The large tenant. It has nine of ten groups; each of the others has 50."""
CHUNK = 10_000  # groups in one transaction

# Texts consist of phrases of six words. The first words are in many phrases, the last
# in few. Each group n is the same in every run, except for its words.
PHRASES = """
CREATE TEMP TABLE phrases AS
SELECT n, (SELECT string_agg(
    substr('bcdfghklmnprstvw', 1 + k % 16, 1) || substr('aeiou', 1 + k / 16 % 5, 1)
    || substr('bcdfghklmnprstvw', 1 + k / 80 % 16, 1)
    || substr('aeiou', 1 + k / 1280 % 5, 1) || substr('klmnrst', 1 + k % 7, 1), ' ')
  FROM (SELECT floor(6000 * pow(random(), 3))::int AS k
    FROM generate_series(1, 6) WHERE n IS NOT NULL) AS picked) AS words
FROM generate_series(0, 9999) AS n;
CREATE UNIQUE INDEX ON phrases (n);
ANALYZE phrases
"""
GROUPS = """
INSERT INTO issues_aiissuegroup (id, tenant_id, title, summary, severity, status, type,
  tags, team_id, ai_type_confidence, ai_type_reasoning, created_at, updated_at)
SELECT md5('group' || n)::uuid,
  CASE WHEN n % 10 > 0 THEN %(tenant)s ELSE md5('tenant' || n / 500)::uuid END,
  initcap(texts.p[1])
    || CASE WHEN n % 3 = 1 THEN ' export' WHEN n % 200 = 2 THEN ' timeout'
    WHEN n % 100000 = 3 THEN ' quasar' ELSE '' END,
  array_to_string(texts.p[2:], ' ') || '.',
  CASE WHEN n % 11 = 0 THEN NULL WHEN n % 10000 = 1 THEN 9 ELSE 1 + n / 7 % 5 END,
  CASE WHEN n % 100000 = 7 THEN 'legal hold' WHEN n % 200 = 11 THEN 'escalated'
    WHEN n > %(total)s * 0.7 THEN 'resolved' ELSE 'open' END,
  CASE WHEN n % 5000 = 13 THEN '' WHEN n % 4 = 0 THEN 'feature' WHEN n % 4 = 1
    THEN 'feature_request' ELSE 'bug' END,
  '["export", "csv"]', 'team-' || floor(200 * pow(random(), 2)), 0.9, 'By its words.',
  now() - n * interval '3 seconds' - random() * interval '200 days',
  now() - (n / 4) * interval '10 seconds'
FROM generate_series(%(first)s, %(last)s) AS n
CROSS JOIN LATERAL (SELECT array(SELECT words
  FROM (SELECT floor(10000 * random())::int AS k FROM generate_series(1, 7)
    WHERE n IS NOT NULL) AS picked
  JOIN phrases ON phrases.n = k) AS p) AS texts
ON CONFLICT DO NOTHING
"""
TICKETS = """
INSERT INTO issues_ticket (id, tenant_id, base_url, jira_issue_id, key, former_keys,
  url, title, status, status_category, assignee, checked_at, changed_at, done_at,
  missing_since, gone_at, due_at)
SELECT md5('ticket' || n)::uuid, tenant_id, 'https://example.atlassian.net',
  10000 + n, 'SCRUM-' || n, '[]', 'https://example.atlassian.net/browse/SCRUM-' || n,
  title, (ARRAY['To Do', 'In Progress', 'Done'])[kind], (ARRAY['new', 'indeterminate',
  'done'])[kind], 'Ada Example', now(), now(),
  CASE WHEN kind = 3 THEN updated_at END,
  CASE WHEN is_gone THEN now() END, CASE WHEN is_gone THEN now() END, now()
FROM generate_series(%(first)s, %(last)s) AS n
JOIN issues_aiissuegroup ON id = md5('group' || n)::uuid
CROSS JOIN LATERAL (SELECT 1 + n / 20 % 3 AS kind, n % 20000 = 19 AS is_gone) AS kinds
WHERE n % 20 = 19
ON CONFLICT DO NOTHING
"""
REPORTS = """
INSERT INTO issues_report (id, group_id, source, title, url, external_id, base_url,
  jira_issue_id, linked, ticket_id, created_at)
SELECT md5('report' || n || ' ' || k)::uuid, md5('group' || n)::uuid,
  CASE WHEN ticket.id IS NOT NULL THEN 'jira' WHEN k > 1 THEN 'slack'
    WHEN n % 50000 = 17 THEN 'telegraph' WHEN n % 200 = 23 THEN 'fax'
    ELSE (ARRAY['slack', 'hubspot', 'zendesk', 'email'])[1 + n % 4] END,
  'Rows are missing',
  coalesce(ticket.url, 'https://example.slack.com/archives/C/p' || n),
  coalesce(ticket.key, n || '-' || k), coalesce(ticket.base_url, ''),
  coalesce(ticket.jira_issue_id, ''), ticket.id IS NOT NULL, ticket.id,
  CASE WHEN n % 100 = 59 AND k = 2 THEN now() ELSE now()
    - (n / 4) * interval '10 seconds' - k * interval '1 hour' END
FROM generate_series(%(first)s, %(last)s) AS n
CROSS JOIN generate_series(1, 1 + n / 3 % 9) AS k
LEFT JOIN issues_ticket AS ticket ON k = 1 AND ticket.id = md5('ticket' || n)::uuid
ON CONFLICT DO NOTHING
"""
IS_DONE = "SELECT 1 FROM issues_aiissuegroup WHERE id = md5('group' || %s)::uuid"


class Command(BaseCommand):
    help = (
        "Add groups with five reports each on average, a ticket for one of twenty, to "
        "PostgreSQL. Groups that an earlier run added are kept."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--groups", type=int, default=1_000_000, metavar="N")

    def handle(self, *args: Any, groups: int, **options: Any) -> None:
        if connection.vendor != "postgresql":
            raise CommandError("Set DATABASE_URL to a PostgreSQL database.")
        with connection.cursor() as cursor, tqdm(total=groups, unit="group") as bar:
            cursor.execute(PHRASES)
            for first in range(0, groups, CHUNK):
                last = min(first + CHUNK, groups) - 1
                if not self.is_done(cursor, last):
                    self.add(cursor, first, last, groups)
                bar.update(last - first + 1)
            cursor.execute("VACUUM ANALYZE")
        self.stdout.write(f"The large tenant is {TENANT_ID}.")

    def is_done(self, cursor: Any, last: int) -> bool:
        """Whether the chunk that ends with this number is there."""
        cursor.execute(IS_DONE, [last])
        return cursor.fetchone() is not None

    def add(self, cursor: Any, first: int, last: int, total: int) -> None:
        """Add the groups of these numbers."""
        numbers = {"tenant": TENANT_ID, "first": first, "last": last, "total": total}
        statements = f"{GROUPS}; {TICKETS}; {REPORTS}"  # together in one transaction
        cursor.execute(statements.replace(" % ", " %% "), numbers)
