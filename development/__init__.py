"""What only development loads: the Jira sandbox, the demo and chaos.

In production (`DJANGO_DEBUG` off) this app is not installed and nothing imports it. It
needs the packages of requirements.txt, which requirements/runtime.txt lacks.
"""
