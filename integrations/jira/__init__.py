"""A client for Jira Cloud's REST API v3. Knows no Django."""
