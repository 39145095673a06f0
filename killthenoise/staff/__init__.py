"""The people who use the admin: their roles, and the tenants that each may see."""
