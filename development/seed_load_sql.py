"""The statements of `manage.py seed_load`. Row `i` is the same in every run."""

TENANTS = "SELECT md5('tenant' || t)::uuid FROM generate_series(0, 19) t ORDER BY t"

_ROWS = """
FROM (
  SELECT i,
    -- The square makes the first tenants large: the first has a fifth of all rows.
    md5('tenant' || floor(20 * power(hashint4(i) / 4294967296.0 + 0.5, 2)))::uuid
      AS tenant_id,
    md5('group' || i)::uuid AS group_id,
    now() - 180 * 86400 * (hashint4(i + 77) / 4294967296.0 + 0.5) * interval '1 second'
      AS moment,
    abs(hashint4(i + 5)) %% 1000 AS dice,
    (ARRAY['CSV export', 'Login with Okta', 'Dark mode', 'The invoice', 'Search',
      'Import of contacts', 'The mobile app', 'Webhook delivery', 'Two-factor login',
      'The weekly report'])[1 + abs(hashint4(i + 1)) %% 10] || ' ' ||
    (ARRAY['drops rows', 'loops', 'is slow', 'shows a wrong total', 'fails at night',
      'ignores the time zone', 'is missing', 'cannot be found', 'crashes', 'repeats'
    ])[1 + abs(hashint4(i + 2)) %% 10] || ', case ' || i AS title
  FROM generate_series(%(first)s, %(last)s) i
) made
"""

GROUPS = f"""
INSERT INTO issues_aiissuegroup (id, tenant_id, title, summary, severity, status, type,
  tags, team_id, ai_type_reasoning, created_at, updated_at)
SELECT group_id, tenant_id, title, 'Several customers say: ' || title, 1 + dice %% 5,
  (ARRAY['open', 'triaged', 'closed'])[1 + dice %% 3],
  (ARRAY['bug', 'feature', 'feature_request', ''])[1 + dice %% 4],
  '["noise"]', 'team-' || dice %% 8, '', moment - interval '1 day', moment
{_ROWS} ON CONFLICT DO NOTHING
"""

REPORTS = f"""
INSERT INTO issues_report (id, group_id, source, title, url, external_id, base_url,
  jira_issue_id, linked, created_at)
SELECT md5('report' || i)::uuid, md5('group' || 1 + i %% %(groups)s)::uuid,
  (ARRAY['slack', 'hubspot', 'zendesk', 'intercom'])[1 + dice %% 4],
  title, 'https://example.slack.com/archives/' || i, 'C01-' || i, '', '', false, moment
{_ROWS} ON CONFLICT DO NOTHING
"""

# 93 of 100 requests are created, and a third of their tickets are done.
TICKETS = f"""
INSERT INTO issues_ticket (id, tenant_id, base_url, jira_issue_id, key, former_keys,
  url, title, status, status_category, assignee, checked_at, changed_at, done_at,
  due_at)
SELECT md5('seen' || i)::uuid, tenant_id, 'https://customer.atlassian.net',
  (10000 + i)::text, 'SCRUM-' || i, '[]',
  'https://customer.atlassian.net/browse/SCRUM-' || i, title,
  (ARRAY['To Do', 'In Progress', 'Done'])[1 + i %% 3],
  (ARRAY['new', 'indeterminate', 'done'])[1 + i %% 3], '', now(),
  moment + interval '1 hour', CASE WHEN i %% 3 = 2 THEN moment + interval '1 hour' END,
  now()
{_ROWS} WHERE dice < 930 ON CONFLICT DO NOTHING
"""

LINKED = f"""
INSERT INTO issues_report (id, group_id, source, title, url, external_id, base_url,
  jira_issue_id, linked, created_at, ticket_id)
SELECT md5('ticket' || i)::uuid, group_id, 'jira', title,
  'https://customer.atlassian.net/browse/SCRUM-' || i, 'SCRUM-' || i,
  'https://customer.atlassian.net', (10000 + i)::text, true, moment,
  md5('seen' || i)::uuid
{_ROWS} WHERE dice < 930 ON CONFLICT DO NOTHING
"""

TICKET_REQUESTS = f"""
INSERT INTO issues_ticketrequest (id, tenant_id, group_id, integration_id,
  idempotency_key, request_hash, title, description, base_url, project_key, state,
  actor, client_ip, request_id, jira_status, error_code, error_message, jira_trace_id,
  attempts, duration_ms, ticket_key, ticket_url, jira_issue_id, report_id, settled_by,
  lease_until, created_at, finished_at)
SELECT md5('request' || i)::uuid, tenant_id, group_id, tenant_id, md5('key' || i),
  md5(title), title, E'👤 User Story:\\n• As a **user** I want **' || title ||
  E'** in order to **get my work done**.\\n\\n✅ Acceptance Criteria:\\n• Investigate',
  'https://customer.atlassian.net', 'SCRUM', state,
  CASE WHEN dice %% 3 = 0 THEN 'user' || dice || '@example.com'
    ELSE 'tenant:' || tenant_id END,
  '203.0.113.7', md5('click' || i),
  CASE state WHEN 'created' THEN 201 WHEN 'failed' THEN 400 ELSE 503 END,
  CASE state WHEN 'created' THEN '' WHEN 'unknown' THEN 'jira_outcome_unknown'
    ELSE (ARRAY['jira_auth_failed', 'jira_field_rejected', 'jira_rate_limited',
      'jira_unreachable', 'jira_project_invalid'])[1 + i %% 5] END,
  CASE state WHEN 'created' THEN '' ELSE 'Jira did not create the ticket.' END,
  md5('trace' || i), 1, 150 + abs(hashint4(i + 3)) %% (50 + dice * 2),
  CASE state WHEN 'created' THEN 'SCRUM-' || i ELSE '' END,
  CASE state WHEN 'created' THEN 'https://customer.atlassian.net/browse/SCRUM-' || i
    ELSE '' END,
  CASE state WHEN 'created' THEN (10000 + i)::text ELSE '' END,
  CASE state WHEN 'created' THEN md5('ticket' || i)::uuid END, '',
  moment + interval '1 minute', moment,
  CASE WHEN state IN ('created', 'failed') THEN moment + interval '1 second' END
FROM (
  SELECT *, CASE WHEN dice < 930 THEN 'created'
    WHEN dice = 999 AND moment > now() - interval '2 days' THEN 'unknown'
    ELSE 'failed' END AS state
  {_ROWS}
) with_state ON CONFLICT DO NOTHING
"""  # noqa: S608 # nosec B608

AUDIT_EVENTS = f"""
INSERT INTO audit_auditevent (id, created_at, tenant_id, actor, action, outcome,
  object_type, object_id, detail, request_id, client_ip)
SELECT md5('event' || i)::uuid, moment + interval '1 second', tenant_id,
  CASE WHEN dice %% 3 = 0 THEN 'user' || dice || '@example.com'
    ELSE 'tenant:' || tenant_id END,
  CASE WHEN dice %% 50 = 1 THEN 'ticket.link' ELSE 'ticket.create' END,
  CASE WHEN dice < 930 THEN 'ok' ELSE 'jira_field_rejected' END,
  'issues.aiissuegroup', group_id,
  CASE WHEN dice < 930
    THEN json_build_object('ticket_key', 'SCRUM-' || 1 + i %% %(requests)s)
    ELSE '{{}}' END::jsonb,
  md5('click' || i), '203.0.113.7'
{_ROWS} ON CONFLICT DO NOTHING
"""
