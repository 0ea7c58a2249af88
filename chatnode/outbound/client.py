"""One client for every request that leaves the node."""

from __future__ import annotations

from collections.abc import Sequence

from chatnode.config import OutboundSettings
from chatnode.metrics import Metrics
from chatnode.outbound.purpose import Answer, Purpose


class Outbound:
    """One per node. Use on the trio thread; `aclose` it with the node."""

    def __init__(self, settings: OutboundSettings, metrics: Metrics) -> None:
        self._settings = settings
        self._metrics = metrics

    def check(self, purpose: Purpose, url: str) -> None:
        """Judge an address without looking up its host, as when a user enters it.

        Raises `Blocked` for what every request would refuse. What its host resolves to is judged at each request.
        """
        raise NotImplementedError

    async def request(
        self,
        purpose: Purpose,
        method: str,
        url: str,
        *,
        headers: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
    ) -> Answer:
        """Send a request and read the whole answer, whatever its status.

        Raises `Blocked` when the node's rules forbid the address; `Failed`, `TimedOut`, `BodyTooLarge` or `Paused`
        for what may pass.
        """
        raise NotImplementedError

    async def aclose(self) -> None:
        """Close the connections that are kept."""
