"""Tests the exactly-once protocol under faults: `make chaos`.

Many tickets are created while Jira, the servers, their clocks and the database fail.
Afterwards each must exist and be linked, and exist once, unless a fault broke an
assumption of the protocol on purpose. docs/exactly-once.md explains it.
"""
