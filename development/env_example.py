"""Writes `.env.example` from README.md: `python -m development.env_example`.

Tests compare the table with the variables that the settings read, and `.env.example`
with the table.
"""

import re
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PATH = ROOT / ".env.example"
HEAD = """\
# Copy this file to .env. Docker Compose reads it, and so does development mode; systemd
# reads the same format. A line without a # must be set in production.

# of Docker Compose: which services `docker compose up` starts
COMPOSE_PROFILES=production
# of Docker Compose: a password for the PostgreSQL that it runs, of letters and digits
POSTGRES_PASSWORD=
"""


def read_table() -> list[tuple[list[str], str, str]]:
    """Return the names, the default and the meaning of each row, as plain text."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    _, _, rest = readme.partition("\n| Variable | Default | Meaning |\n")
    rows = []
    for line in rest.partition("\n\n")[0].splitlines()[1:]:
        names, default, meaning = line.strip("| ").split(" | ", 2)
        rows.append((re.findall(r"`(\w+)`", names), default, _plain(meaning)))
    return rows


def _plain(markdown: str) -> str:
    linked = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", markdown)
    return linked.replace("`", "")


def render() -> str:
    """Return the text of `.env.example`."""
    parts = [HEAD]
    for names, default, meaning in read_table():
        comment = textwrap.indent(textwrap.fill(meaning, 84), "# ")
        needed = default == "required"
        value = default.strip("`") if default.startswith("`") else ""
        lines = [f"{'' if needed else '#'}{name}={value}" for name in names]
        parts.append("\n".join([comment, *lines]) + "\n")
    return "\n".join(parts)


if __name__ == "__main__":
    PATH.write_text(render(), encoding="utf-8")
