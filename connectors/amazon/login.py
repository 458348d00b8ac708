"""Login with Amazon: a token for one hour, bought with the refresh token; renewed before it ends, and when the API says that it has ended."""

import threading
from datetime import datetime, timedelta
from urllib.parse import urlencode

import httpx
from pydantic import SecretStr

from connectors.kit.clock import Clock
from connectors.kit.errors import NotAllowed, NotNow, WharfingerError
from connectors.kit.http import Http, ReadFailed

TOKEN_PATH = "/auth/o2/token"
FORM = "application/x-www-form-urlencoded;charset=UTF-8"
EARLY_SECONDS, SECONDS_MAX = 300, 3600
CODES = frozenset({"invalid_grant", "invalid_client", "unauthorized_client", "invalid_request", "invalid_scope", "unsupported_grant_type", "access_denied"})


class Login:
    """The access token of one account and application. Thread-safe. Neither token nor secrets are in its repr."""

    def __init__(self, http: Http, client_id: str, client_secret: SecretStr, refresh_token: SecretStr, clock: Clock) -> None:
        self._http, self._client_id, self._client_secret, self._refresh_token, self._clock = http, client_id, client_secret, refresh_token, clock
        self._token: SecretStr | None = None
        self._renew_at: datetime | None = None
        self._lock = threading.Lock()

    def sign(self, request: httpx.Request) -> None:
        """Put the token on a request. Raises NotNow when none is to be had at present, NotAllowed when Amazon will not give us one: nothing was sent."""
        request.headers["x-amz-access-token"] = self._current().get_secret_value()

    def forget(self) -> None:
        """The API would not have the token: the next request fetches another."""
        with self._lock:
            self._token = None

    def _current(self) -> SecretStr:
        with self._lock:
            if self._token is None or self._renew_at is None or self._clock.now() >= self._renew_at:
                self._token, self._renew_at = self._bought()
            return self._token

    def _bought(self) -> tuple[SecretStr, datetime]:
        asked_at, doing = self._clock.now(), f"{self._http.target}: buying an access token"
        form = {"grant_type": "refresh_token", "refresh_token": self._refresh_token.get_secret_value(), "client_id": self._client_id,
                "client_secret": self._client_secret.get_secret_value()}
        try:
            came = self._http.read(TOKEN_PATH, method="POST", body=urlencode(form).encode(), content_type=FORM)
        except ReadFailed as error:  # a doubt about the token is none about what it was wanted for: that was not sent
            raise NotNow(doing, error.got) from None
        token, seconds = (came.get("access_token"), came.get("expires_in")) if isinstance(came, dict) else (None, None)
        if not isinstance(token, str) or not token or not isinstance(seconds, int) or isinstance(seconds, bool) or seconds <= 0:
            raise NotNow(doing, "HTTP 200, but without a token and its life")
        life = min(seconds, SECONDS_MAX)
        return SecretStr(token), asked_at + timedelta(seconds=life - min(EARLY_SECONDS, life // 2))


def refused(doing: str, response: httpx.Response) -> WharfingerError | None:
    """The token endpoint's own no: 400 and 401 are about our credentials, not about a record. Asked before the kit's reading."""
    if response.status_code not in (400, 401, 403):
        return None
    try:
        code = response.json().get("error")
    except (ValueError, AttributeError):
        code = ""
    said = f": {code}" if isinstance(code, str) and code in CODES else ""
    return NotAllowed(doing, f"HTTP {response.status_code}{said}", "Mend client_id, client_secret or refresh_token, or have the seller authorise the application again.")
