"""Tests the exactly-once protocol under faults: `make chaos`.

Many tickets are created while Jira, the servers, their clocks and the database fail.
Afterwards each ticket must exist exactly once and be linked, unless a fault broke an
assumption of the protocol on purpose. docs/exactly-once.md explains it.
"""
