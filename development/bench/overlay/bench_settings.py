"""The settings of production, but Jira may be on this machine.

It is in a separate folder, which is added to the path of the measured source tree.
BENCH_TRUSTED is a file with the certificates to trust instead of those of certifi.
"""

import os

import certifi

if "BENCH_TRUSTED" in os.environ:  # before anything imports requests
    certifi.where = lambda: os.environ["BENCH_TRUSTED"]

from killthenoise.settings import *  # noqa: F403

JIRA_ALLOW_INSECURE = True
