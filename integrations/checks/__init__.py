"""Whether Jira would take a ticket, and what to do if not. Nothing is created."""
