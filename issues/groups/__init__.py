"""The list of groups and their reports, the import, and what a group's ticket says."""
