"""Tests the exactly-once protocol under faults: `make chaos`.

Many tickets are created while Jira, the server and the database fail. Afterwards each
must exist exactly once and be linked. docs/exactly-once.md explains it.
"""
