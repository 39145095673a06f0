"""The audit: who did what, for which tenant, and how it ended. It is append-only."""
