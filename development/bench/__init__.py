"""Measures the product on this machine: `make bench`.

The server runs as in production, with PostgreSQL and a stand-in for Jira beside it.
`mixed_load` is another program here. It measures how much hostile tenants slow down
well-behaved ones.
"""
