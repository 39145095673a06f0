"""Secrets for development mode, generated once and stored in the git-ignored var/.

They are stored because a new encryption key would make the tokens in the development
database unreadable.
"""

import os
import secrets
from collections.abc import Callable
from pathlib import Path


def development_secret(
    path: Path, make: Callable[[], str] = lambda: secrets.token_urlsafe(64)
) -> str:
    """Return the secret in the file `path`, which the first call creates (mode 600)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    fresh.touch(mode=0o600)
    fresh.write_text(make())
    try:
        os.link(fresh, path)  # atomic: if two processes start at once, one wins
    except FileExistsError:
        pass
    finally:
        fresh.unlink()
    return path.read_text()
