"""The credentials of an account, and how a request proves them."""

from base64 import b64encode
from dataclasses import dataclass, field

from integrations.jira.secret import Secret

SHORTEST_SECRET = 8
"""Characters. Anything shorter is not an Atlassian token and may be a normal word."""


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """An e-mail and an API token. Without an e-mail, requests are anonymous.

    https://developer.atlassian.com/cloud/jira/platform/basic-auth-for-rest-apis/
    """

    email: str = ""
    api_token: str = field(default="", repr=False)

    @property
    def authorization(self) -> Secret:
        """The value of the header Authorization; "" if requests are anonymous."""
        return Secret(f"Basic {self._encode()}" if self.email else "")

    @property
    def secrets(self) -> list[Secret]:
        """The texts that a response may repeat and nobody may see."""
        encoded = self._encode()
        secrets = [Secret(self.api_token), encoded, Secret(encoded.rstrip("="))]
        return [secret for secret in secrets if len(secret) >= SHORTEST_SECRET]

    def _encode(self) -> Secret:
        pair = Secret(f"{self.email}:{self.api_token}")
        return Secret(b64encode(pair.encode()).decode("ascii"))


ANONYMOUS = Credentials()
