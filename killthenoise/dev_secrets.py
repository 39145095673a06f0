"""Secrets for development mode, made on the spot and kept in the git-ignored var/.

They are kept because a new encryption key at each start would leave the development
database full of tokens that nobody can read.
"""

import os
import secrets
from collections.abc import Callable
from pathlib import Path


def development_secret(
    path: Path, make: Callable[[], str] = lambda: secrets.token_urlsafe(64)
) -> str:
    """Return the secret kept at `path`; the first call makes it, for our eyes only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    fresh.touch(mode=0o600)
    fresh.write_text(make())
    try:
        os.link(fresh, path)  # atomic: of two processes that start at once, one wins
    except FileExistsError:
        pass
    finally:
        fresh.unlink()
    return path.read_text()
