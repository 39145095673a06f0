"""Tools for development: the Jira sandbox, the demo and the chaos test.

Production (without `DJANGO_DEBUG`) does not install this app, and no production code
imports it. Its tools need packages that requirements.txt installs and
requirements/runtime.txt does not.
"""
