"""The log lines of gunicorn itself, in JSON."""

from logging.config import DictConfigurator
from typing import Any

from gunicorn.glogging import Logger

from killthenoise.log_formats import JSON


class JsonLogger(Logger):  # type: ignore[misc] # gunicorn has no types
    """With logconfig_dict instead, gunicorn would write its access log, too."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        formatter = DictConfigurator({"version": 1}).configure_formatter(dict(JSON))
        for handler in self.error_log.handlers:
            handler.setFormatter(formatter)
