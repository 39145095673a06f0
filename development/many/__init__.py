"""Checks that many tickets are created exactly once: in one request, and by rules."""
