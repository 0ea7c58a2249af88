"""When to renew, and when to try again. Times are seconds since 1970."""

from __future__ import annotations

import hashlib

from chatnode.acme.renewal_info import RenewalWindow
from chatnode.certificates.x509 import Facts

_SHARE = 2 / 3
"""Of its lifetime, after which a certificate is renewed where the authority suggests no time."""
_SPREAD = 0.05
"""Of its lifetime, by which that is earlier at random: certificates of one day are not all renewed in one minute."""
_WAITS = (60.0, 600.0, 6_000.0, 86_400.0)
"""After failures in a row."""
_JITTER = 0.1


def due_at(facts: Facts, window: RenewalWindow | None) -> float:
    """When to renew a certificate: at a moment in the window that the authority suggests, else after two thirds.

    The moment is random and yet the same each time, because it comes from the certificate. A window that ends after
    the certificate has expired is a mistake, and not used.
    """
    share = int.from_bytes(hashlib.sha256(facts.der).digest()[:8]) / 2**64
    if window is not None and window.end < facts.not_after:
        return window.start + share * (window.end - window.start)
    return facts.not_before + (_SHARE - share * _SPREAD) * facts.lifetime


def is_late(facts: Facts, now: float) -> bool:
    """Whether no more than a third of the lifetime is left."""
    return facts.not_after - now <= facts.lifetime / 3


def wait_after(failures: int, retry_after: float, left: float, chance: float) -> float:
    """Seconds until the next try. What the authority asks for counts up to half of what is `left` of the certificate
    in use. `chance` is a random number from 0 to 1."""
    own = _WAITS[min(failures, len(_WAITS)) - 1] * (1 + _JITTER * (2 * chance - 1))
    asked = min(retry_after, left / 2) if left > 0 else retry_after
    return max(own, asked)
