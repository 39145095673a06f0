"""The accounts of tenants in Jira: connect, change, check, disconnect."""
