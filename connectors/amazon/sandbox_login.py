"""The stand-in's token endpoint and its door: tokens of one hour, and the words with which a bad one is turned away."""

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import httpx

from connectors.amazon.login import TOKEN_PATH
from connectors.amazon.sandbox_answers import No, Route
from connectors.kit.clock import Clock

LIFE_SECONDS = 3600


class LoginDoor:
    """A part (sandbox_answers.Part). Secrets and tokens are in no record."""

    def __init__(self, clock: Clock, client_id: str, client_secret: str, refresh_token: str) -> None:
        self._clock, self._client, self._refresh_token = clock, (client_id, client_secret), refresh_token
        self._tokens: dict[str, datetime] = {}

    def routes(self) -> list[Route]:
        """POST /auth/o2/token."""
        return [Route("POST", TOKEN_PATH, "", self.post_token)]

    def step(self) -> None:
        """Nothing is due."""

    def books(self) -> dict[str, Any]:
        """How many tokens were sold."""
        return {"tokens": len(self._tokens)}

    def end_tokens(self) -> None:
        """Every token ends at once, before its hour."""
        self._tokens = dict.fromkeys(self._tokens, self._clock.now())

    def check(self, request: httpx.Request) -> None:
        """Is the request signed with a token that lives? Raises No (403)."""
        token = request.headers.get("x-amz-access-token", "")
        ends = self._tokens.get(token)
        if ends is not None and self._clock.now() < ends:
            return
        details = "Access token is missing in the request header." if not token else \
            "The access token you provided is revoked, malformed or invalid." if ends is None else "The access token you provided has expired."
        raise No(403, "Unauthorized", "Access to requested resource is denied.", details)

    def post_token(self, request: httpx.Request) -> httpx.Response:
        """A refresh token becomes an access token."""
        form = {key: values[0] for key, values in parse_qs(request.content.decode("utf-8", "replace")).items()}
        if form.get("grant_type") != "refresh_token":
            return _no(400, "unsupported_grant_type", "The authorization grant type is not supported.")
        if (form.get("client_id"), form.get("client_secret")) != self._client:
            return _no(401, "invalid_client", "Client authentication failed")
        if form.get("refresh_token") != self._refresh_token:
            return _no(400, "invalid_grant", "The request has an invalid grant parameter : refresh_token")
        token = f"Atza|sandbox-{len(self._tokens) + 1}"
        self._tokens[token] = self._clock.now() + timedelta(seconds=LIFE_SECONDS)
        return httpx.Response(200, json={"access_token": token, "refresh_token": self._refresh_token, "token_type": "bearer", "expires_in": LIFE_SECONDS})


def _no(status: int, error: str, description: str) -> httpx.Response:
    return httpx.Response(status, json={"error": error, "error_description": description})
