"""Which errors of the Google Drive API to retry, for how long, and how to explain them."""

import json
import random
import ssl
import textwrap
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path

from fitness_assets.errors import DriveError
from fitness_assets.formatting import seconds
from fitness_assets.release.google_drive.credentials import SCOPE

_MAX_PAUSE = 64.0
_MAX_MESSAGE = 1000
#: How to fix an error, by the reason in Drive's response.
_ADVICE = {
    "storageQuotaExceeded": "a service account owns no storage and a user's may be full: use a "
    "folder on a shared drive, or the token of a user with free storage",
    "insufficientFilePermissions": "let the account manage the content of the folder",
    "insufficientPermissions": f"the token must have the scope {SCOPE}",
    "accessNotConfigured": "enable the Drive API in the account's project",
}
_RATE_LIMITS = {"rateLimitExceeded", "userRateLimitExceeded", "sharingRateLimitExceeded"}


@dataclass(frozen=True)
class RetryPolicy:
    """How often to retry a request.

    Attributes
    ----------
    attempts : int
        Total number of attempts.
    timeout : float
        Seconds to wait for the next bytes of a response.
    sleep : callable
        Called with the seconds to wait between two attempts.
    """

    attempts: int = 8
    timeout: float = 60.0
    sleep: Callable[[float], object] = time.sleep


DEFAULT_RETRY_POLICY = RetryPolicy()


@dataclass(frozen=True)
class ErrorContext:
    """What error messages name: the folder on Drive, and the credentials file."""

    folder: str
    credentials: Path


class Attempts:
    """Counts the attempts of one request and waits between them.

    Parameters
    ----------
    problem : str
        What could not be done; error messages begin with it.
    context : ErrorContext
    policy : RetryPolicy
    log : callable
        Called with a message before each retry.
    """

    def __init__(
        self,
        problem: str,
        context: ErrorContext,
        policy: RetryPolicy,
        log: Callable[[str], object],
    ) -> None:
        self._problem = problem
        self._context = context
        self._policy = policy
        self._log = log
        self._count = 0

    def failed(self, error: Exception | str, *, retry: bool = False) -> None:
        """Wait for the next attempt after a failed one.

        Parameters
        ----------
        error : Exception or str
            What went wrong. A message is always retried.
        retry : bool
            Retry even if `error` is not transient.

        Raises
        ------
        DriveError
            If `error` is not transient, or this was the last attempt. It has no cause: the client's
            own errors would put addresses and responses, which hold secrets, into the log.
        """
        self._count += 1
        reason, transient = (
            (error, True) if isinstance(error, str) else _explain(error, self._context)
        )
        message = textwrap.shorten(f"{self._problem}: {reason}", _MAX_MESSAGE)
        if not (transient or retry):
            raise DriveError(message) from None
        if self._count == self._policy.attempts:
            raise DriveError(f"{message}; gave up after {self._count} attempts") from None
        # Random, so that clients which failed together do not retry together.
        pause = random.uniform(0, 2**self._count)  # noqa: S311
        pause = min(max(pause, _retry_after(error)), _MAX_PAUSE)
        self._log(f"{message}; retrying in {seconds(pause)}")
        self._policy.sleep(pause)


def client_errors() -> tuple[type[Exception], ...]:
    """The exceptions that the client library raises when a request fails."""
    from google.auth.exceptions import GoogleAuthError
    from googleapiclient.errors import HttpError
    from httplib2 import HttpLib2Error

    return (HttpError, GoogleAuthError, HttpLib2Error, HTTPException, OSError)


def status_of(error: Exception) -> int | None:
    """HTTP status of the response behind `error`, or None if there was no response."""
    return getattr(error, "status_code", None)


def _explain(error: Exception, context: ErrorContext) -> tuple[str, bool]:
    """A message for `error`, and whether the error is transient."""
    from google.auth.exceptions import RefreshError
    from googleapiclient.errors import HttpError

    if isinstance(error, RefreshError):
        message = f"Google rejected the credentials in {context.credentials}: {error.args[0]}"
        return message, error.retryable
    if not isinstance(error, HttpError):
        message = f"Google Drive cannot be reached: {error}"
        return message, not isinstance(error, ssl.SSLCertVerificationError)
    status, reasons = error.resp.status, _reasons(error.content)
    busy = status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR
    advice = [text for reason, text in _ADVICE.items() if reason in reasons]
    if status == HTTPStatus.UNAUTHORIZED:
        advice = [f"create {context.credentials} again"]
    if status == HTTPStatus.NOT_FOUND:
        account = f"the account of {context.credentials}"
        advice = [f"{account} must have access to folder {context.folder} with the scope {SCOPE}"]
    message = "; ".join([f"Google Drive answered {status}, {error.reason}", *advice])
    return message, busy or bool(reasons & _RATE_LIMITS)


def _retry_after(error: Exception | str) -> float:
    """Seconds that the server asks to wait before the next attempt."""
    seconds = getattr(error, "resp", {}).get("retry-after", "")
    return float(seconds) if seconds.isdecimal() else 0.0


def _reasons(content: bytes) -> set[str]:
    """The reasons in an error response of Drive's."""
    try:
        return {error["reason"] for error in json.loads(content)["error"]["errors"]}
    except (ValueError, KeyError, TypeError):
        return set()
