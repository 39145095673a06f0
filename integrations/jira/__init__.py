"""A client for Jira Cloud's REST API v3. It does not import Django."""
