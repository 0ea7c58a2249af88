"""When to renew, and when to try again. Times are seconds since 1970."""

from __future__ import annotations

import hashlib

from chatnode.acme.renewal_info import RenewalWindow
from chatnode.certificates.x509 import Facts

_SHARE = 2 / 3
"""Of its lifetime, after which a certificate is renewed where the authority suggests no time."""
_SPREAD = 0.05
"""Of its lifetime, by which that is earlier at random: certificates of one day are not all renewed in one minute."""
_EARLY_SECONDS = 86_400.0
"""Between two renewals before the usual time: an authority whose suggestions have always passed gets one a day."""
_EARLY_SHARE = 1 / 6
"""Of its lifetime, which that is at most."""
_WAITS = (60.0, 600.0, 6_000.0, 86_400.0)
"""After failures in a row."""
_JITTER = 0.1


def due_at(facts: Facts, window: RenewalWindow | None, early_at: float = 0.0) -> float:
    """When to renew a certificate: at a moment in the window that the authority suggests, else after two thirds.

    The moment is random and yet the same each time, because it comes from the certificate. A window that ends after
    the certificate has expired is a mistake, and not used. `early_at` is when this certificate replaced one that was
    not due yet, 0 for none: then the window counts only after a while.
    """
    usual = _usual(facts)
    if window is None or window.end >= facts.not_after:
        return usual
    suggested = window.start + _chance(facts) * (window.end - window.start)
    if not early_at:
        return suggested
    return max(suggested, min(early_at + min(_EARLY_SECONDS, _EARLY_SHARE * facts.lifetime), usual))


def is_early(facts: Facts, now: float) -> bool:
    """Whether the certificate would not be renewed yet, if the authority suggested nothing."""
    return now < _usual(facts)


def _usual(facts: Facts) -> float:
    return facts.not_before + (_SHARE - _chance(facts) * _SPREAD) * facts.lifetime


def _chance(facts: Facts) -> float:
    """From 0 to 1, by the certificate."""
    return int.from_bytes(hashlib.sha256(facts.der).digest()[:8]) / 2**64


def is_late(facts: Facts, now: float) -> bool:
    """Whether no more than a third of the lifetime is left."""
    return facts.not_after - now <= facts.lifetime / 3


def wait_after(failures: int, retry_after: float, left: float, chance: float) -> float:
    """Seconds until the next try. What the authority asks for counts up to half of what is `left` of the certificate
    in use. `chance` is a random number from 0 to 1."""
    own = _WAITS[min(failures, len(_WAITS)) - 1] * (1 + _JITTER * (2 * chance - 1))
    asked = min(retry_after, left / 2) if left > 0 else retry_after
    return max(own, asked)
