"""Credentials for the Google Drive API."""

import json
from pathlib import Path
from typing import Any

from fitness_assets.errors import DriveError

#: Access to the files that this application created, and to no others.
SCOPE = "https://www.googleapis.com/auth/drive.file"


def load_credentials(path: Path) -> Any:
    """The credentials in a JSON file: a service account's key, or a user's token.

    Raises
    ------
    DriveError
        If the file cannot be read, or holds neither. The message never quotes the content.
    """
    from google.auth.exceptions import GoogleAuthError
    from google.oauth2 import credentials, service_account

    try:
        content = json.loads(path.read_bytes())
        # A user's token has no type when google-auth itself wrote it.
        kind = content.get("type", "authorized_user")
        if kind == "service_account":
            return service_account.Credentials.from_service_account_info(content, scopes=[SCOPE])
        if kind == "authorized_user":
            return credentials.Credentials.from_authorized_user_info(content, scopes=[SCOPE])
    except OSError as error:
        raise DriveError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError, GoogleAuthError):
        pass  # the message of such an error may quote a secret
    raise DriveError(f"{path} is neither the key of a service account nor the token of a user")
