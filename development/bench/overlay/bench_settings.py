"""The settings of production, but Jira may be on this machine.

It is in a folder of its own, which is put on the path of any source tree to measure.
BENCH_TRUSTED is a file with the certificates to trust instead of those of certifi.
"""

import os

import certifi

if "BENCH_TRUSTED" in os.environ:  # before anything imports requests
    certifi.where = lambda: os.environ["BENCH_TRUSTED"]

from killthenoise.settings import *  # noqa: F403

JIRA_ALLOW_INSECURE = True
