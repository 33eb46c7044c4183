"""What both doors tell the audit log: each call that belongs into it, after it was carried out and before it is answered."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from moorage.core.audit import Failure, is_recorded, record
from moorage.core.calls import Call
from moorage.core.errors import AccessDenied, Refused
from moorage.web.http import BodyTooLarge, ClientGone, new_id

_log = logging.getLogger("moorage.audit")


class Recorder:
    """Records calls.

    ``append`` keeps a line and may raise OSError, of which ``failed`` is told; ``code`` is what the AWS API calls a failure of a
    service; ``reads`` says that reads are recorded as well.
    """

    def __init__(
        self,
        append: Callable[[bytes], None],
        code: Callable[[Exception, str], str],
        failed: Callable[[], None],
        *,
        reads: bool,
    ) -> None:
        self._append = append
        self._code = code
        self._failed = failed
        self._reads = reads

    def wants(self, operation: str, error: Exception | None = None) -> bool:
        """Tell whether a call belongs into the log."""
        return is_recorded(operation, error, reads=self._reads)

    def record(
        self,
        call: Call,
        service: str,
        operation: str,
        parameters: Mapping[str, Any] | None,
        error: Exception | None = None,
        answer: Mapping[str, Any] | None = None,
    ) -> None:
        """Record a call that belongs into the log; never raises, for what was done cannot be taken back."""
        try:
            failure = None if error is None else self._failure(error, service)
            self._append(record(call, service, operation, parameters, failure, new_id(), answer))
        except Exception:  # noqa: BLE001 - whatever it is, the caller is to hear of what was done
            self._failed()
            _log.exception("request %s: %s could not be recorded", call.request_id, operation)

    def _failure(self, error: Exception, service: str) -> Failure:
        match error:
            case AccessDenied():
                return Failure(self._code(error, service), str(error), error.resource)
            case Refused():
                return Failure(self._code(error, service), str(error))
            case ClientGone():
                return Failure("RequestCanceled", "The client went away before its request had come")
            case BodyTooLarge():
                return Failure("RequestEntityTooLargeException", "The body is larger than this request may have")
        return Failure(self._code(error, service), "The request failed for a reason of the server's own.")
