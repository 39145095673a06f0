"""The signature of a request, in the form of GitHub's, Jira's and WebSub's webhooks.

https://www.w3.org/TR/websub/#signature-validation
"""

import hashlib
import hmac

HEADER = "X-Hub-Signature"


def sign(secret: str, body: bytes) -> str:
    """Return the value of the header for a body."""
    return f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"
