"""Logs on standard error: a line for people, or a line of JSON. Neither ever holds a secret: no header, query or body is logged."""

import json
import logging
import time
from typing import Any

# Successful reads are logged one level lower than everything else.
_LEVELS = {"all": "DEBUG", "changes": "INFO", "none": "WARNING"}


class JsonFormatter(logging.Formatter):
    """One JSON object per line; ``time`` is UTC with milliseconds."""

    converter = staticmethod(time.gmtime)

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        line: dict[str, Any] = {
            "time": f"{self.formatTime(record, '%Y-%m-%dT%H:%M:%S')}.{int(record.msecs):03d}Z",
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        for name in ("request_id", "operation"):
            if name in record.__dict__:
                line[name] = record.__dict__[name]
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


class PlainFormatter(logging.Formatter):
    """A line with the time in UTC and, where there is one, the request's id."""

    converter = staticmethod(time.gmtime)

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        line = f"{self.formatTime(record, '%Y-%m-%dT%H:%M:%SZ')} {record.levelname} {record.name} {record.getMessage()}"
        if "request_id" in record.__dict__:
            line += f" id={record.__dict__['request_id']}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


def logging_config(*, json_logs: bool, log_requests: str) -> dict[str, Any]:
    """Return the configuration for logging.config.dictConfig."""
    formatter = JsonFormatter if json_logs else PlainFormatter
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": formatter}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line", "stream": "ext://sys.stderr"}},
        "loggers": {
            "_granian": {"handlers": ["stderr"], "level": "INFO", "propagate": False},
            # It has a line for every client that goes away.
            "_granian.asgi.io": {"level": "WARNING"},
            "moorage": {"handlers": ["stderr"], "level": "INFO", "propagate": False},
            "moorage.access": {"level": _LEVELS[log_requests]},
        },
    }
