"""The formats of log lines: JSON for programs, text for people."""

from typing import Any

JSON: dict[str, Any] = {
    "()": "pythonjsonlogger.json.JsonFormatter",
    "fmt": "{levelname}{name}{message}",
    "style": "{",
    "rename_fields": {"levelname": "level", "name": "logger"},
    "timestamp": "time",
}
TEXT: dict[str, Any] = {
    "format": "{asctime} {levelname} {name} [{request_id}] {message}",
    "style": "{",
}
