"""The settings of production, but Jira may be on this machine.

It is in a folder of its own, which is put on the path of any source tree to measure.
"""

from killthenoise.settings import *  # noqa: F403

JIRA_ALLOW_INSECURE = True
