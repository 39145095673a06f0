"""A minimal hand-written WSGI program for exactly-once: the upper limit of speed.

It commits a claim, sends one POST to Jira, and commits a record. It does not validate,
limit, audit or recover anything.
"""

import http.client
import json
import os
import ssl
import threading
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg2

TABLES = """
CREATE TABLE bare_claim (
  id uuid PRIMARY KEY, group_id uuid NOT NULL UNIQUE, title text, description text,
  state text NOT NULL, ticket_key text, created_at timestamptz DEFAULT now());
CREATE TABLE bare_report (
  id uuid PRIMARY KEY, group_id uuid NOT NULL, ticket_key text NOT NULL);
"""
CLAIM = (
    "INSERT INTO bare_claim (id, group_id, title, description, state) "
    "VALUES (%s, %s, %s, %s, 'pending') ON CONFLICT DO NOTHING"
)
RECORD = (
    "WITH report AS (INSERT INTO bare_report VALUES (%s, %s, %s)) "
    "UPDATE bare_claim SET state = 'created', ticket_key = %s WHERE id = %s"
)
JIRAS: dict[str, str] = json.loads(os.environ.get("BARE_JIRAS", "{}"))
"""The address of each tenant's Jira."""
TLS = ssl.create_default_context(cafile=os.environ.get("BENCH_TRUSTED"))
local = threading.local()


def application(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
    """Create the ticket of the group in the path."""
    status, body = "200 OK", b"{}"
    if environ["REQUEST_METHOD"] == "POST":
        ticket = json.load(environ["wsgi.input"])
        group = environ["PATH_INFO"].split("/")[4]
        key = create(environ["HTTP_X_TENANT_ID"], group, **ticket)
        status = "200 OK" if key else "409 Conflict"
        body = json.dumps({"data": {"ticket_key": key}}).encode()
    start(status, [("Content-Length", str(len(body)))])
    return [body]


def create(tenant: str, group: str, title: str, description: str) -> str:
    """Return the key of the new ticket, or "" if the group is already claimed."""
    claim, cursor = str(uuid4()), connect_database().cursor()
    cursor.execute(CLAIM, (claim, group, title, description))  # and commit
    if not cursor.rowcount:
        return ""
    issue = {"fields": {"summary": title}, "properties": [{"group_id": group}]}
    jira = connect_jira(tenant)
    jira.request("POST", "/rest/api/3/issue", json.dumps(issue))
    key: str = json.loads(jira.getresponse().read())["key"]
    cursor.execute(RECORD, (str(uuid4()), group, key, key, claim))  # and commit
    return key


def connect_database() -> Any:
    """Return this thread's connection, on which each statement commits."""
    if not hasattr(local, "database"):
        local.database = psycopg2.connect(os.environ["DATABASE_URL"])
        local.database.autocommit = True
    return local.database


def connect_jira(tenant: str) -> http.client.HTTPConnection:
    """Return this thread's connection to the tenant's Jira."""
    if tenant not in vars(local):
        url = urlsplit(JIRAS[tenant])
        vars(local)[tenant] = (
            http.client.HTTPSConnection(url.netloc, context=TLS)
            if url.scheme == "https"
            else http.client.HTTPConnection(url.netloc)
        )
    found: http.client.HTTPConnection = vars(local)[tenant]
    return found
