"""Measures the product on this machine: `make bench`.

The server runs as in production, with PostgreSQL and a stand-in for Jira beside it.
`mixed_load` is the other program here: it measures what well-behaved tenants notice of
hostile ones.
"""
