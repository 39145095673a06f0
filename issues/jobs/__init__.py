"""Many tickets in one request."""
