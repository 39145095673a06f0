"""Turns what people typed into an Atlassian Document Format (ADF) document."""
