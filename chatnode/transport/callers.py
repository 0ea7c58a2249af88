"""Who makes a request: the caller that its credentials stand for."""

from __future__ import annotations

from chatnode.dispatch.caller import Caller
from chatnode.dispatch.core import Core
from chatnode.errors import Refusal
from chatnode.services.sign_in import authenticate
from chatnode.transport.origins import Credentials, set_cookie


async def caller_of(core: Core, credentials: Credentials) -> tuple[Caller, str | None]:
    """The owner of the token; without a token, a client that is not signed in. Raises `Refusal("unauthenticated")` for
    a token that is not valid.

    The second value is a Set-Cookie field to send with the response, if the request extended the session of its cookie:
    the browser must keep the cookie as long.
    """
    caller = Caller(core, address=credentials.address, takes_json=True)
    if credentials.token is None:
        return caller, None
    found = await authenticate(core, credentials.token)
    caller.sign_in(found)
    slides = found.prolonged and credentials.by_cookie
    return caller, set_cookie(core, credentials, credentials.token) if slides else None


def check_signed_in(credentials: Credentials) -> None:
    """Raises `Refusal("unauthenticated")` if the request has no token."""
    if credentials.token is None:
        raise Refusal("unauthenticated", "send a token: Authorization: Bearer …")
