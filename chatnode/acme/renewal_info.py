"""When an authority wants a certificate to be renewed (ARI, RFC 9773)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import attrs

from chatnode.acme.client import AcmeClient
from chatnode.acme.jws import b64

LOOK_SECONDS = 6 * 3_600.0
"""How often to ask, where the authority does not say."""
_LEAST_SECONDS, _MOST_SECONDS = 60.0, 86_400.0


@attrs.frozen
class RenewalWindow:
    """Seconds since 1970. `why` is a URL with an explanation, if there is one."""

    start: float
    end: float
    why: str = ""


def certificate_id(authority_key: bytes, serial: int) -> str:
    """What ARI calls a certificate: the identifier of its authority's key, and its serial number as in DER."""
    number = serial.to_bytes(serial.bit_length() // 8 + 1)
    return f"{b64(authority_key)}.{b64(number)}"


async def suggested(client: AcmeClient, id: str) -> tuple[RenewalWindow | None, float]:
    """The window, None if the authority has none or what it says cannot be used; and when to ask again, in seconds.

    Raises `AcmeError`.
    """
    reply = await client.get(f"{client.endpoint('renewalInfo').rstrip('/')}/{id}", repeats=1)
    again = LOOK_SECONDS if reply.retry_after is None else reply.retry_after
    return read_window(reply.json), min(max(again, _LEAST_SECONDS), _MOST_SECONDS)


def read_window(found: dict[str, Any]) -> RenewalWindow | None:
    """None for a window that ends before it begins, or is none."""
    window: Any = found.get("suggestedWindow")
    try:
        start, end = (datetime.fromisoformat(window[name]).timestamp() for name in ("start", "end"))
    except (TypeError, KeyError, ValueError, OverflowError):
        return None
    why: Any = found.get("explanationURL")
    return RenewalWindow(start, end, why[:500] if isinstance(why, str) else "") if end > start else None
