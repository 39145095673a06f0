"""What becomes of a ticket in Jira after it is linked, and what Jira is told of it."""
