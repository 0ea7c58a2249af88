"""One client for every request that leaves the node."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import trio

from chatnode.addresses import EgressProxy, IPAddress, IPNetwork, parse_proxy
from chatnode.config import OutboundSettings
from chatnode.logs import get_logger
from chatnode.metrics import Metrics
from chatnode.outbound.addresses import Target, parse_target
from chatnode.outbound.answers import read_body
from chatnode.outbound.breakers import Breakers
from chatnode.outbound.errors import Blocked, BodyTooLarge, Failed, OutboundError, Paused, TimedOut, Unwanted
from chatnode.outbound.hops import Hop, first_hop, redirected
from chatnode.outbound.idle import IdleConnections
from chatnode.outbound.policy import EgressPolicy
from chatnode.outbound.purpose import OutboundAnswer, Purpose
from chatnode.outbound.resolve import Lookup, OwnAddresses, Resolver, look_up, own_addresses
from chatnode.outbound.turns import RequestTurns, TimeLeft

if TYPE_CHECKING:
    from chatnode.outbound.connect import Network

logger = get_logger("outbound")

_OUTCOMES: tuple[tuple[type[BaseException], str], ...] = (
    (Blocked, "blocked"), (Paused, "paused"), (TimedOut, "timed_out"), (BodyTooLarge, "too_large"),
    (Unwanted, "unwanted"), (Failed, "failed"),
)  # fmt: skip


class Outbound:
    """One per node. Use on the trio thread; `aclose` it with the node."""

    def __init__(
        self,
        settings: OutboundSettings,
        metrics: Metrics,
        *,
        lookup: Lookup = look_up,
        own: Callable[[], frozenset[IPNetwork]] = own_addresses,
    ) -> None:
        self._metrics = metrics
        self._connections = settings.connections
        self._proxy = parse_proxy(settings.proxy) if settings.proxy else None
        self._policy = EgressPolicy(settings)
        self._resolver = Resolver(lookup)
        self._own = OwnAddresses(own)
        self._turns = RequestTurns(settings.connections, settings.per_address)
        self._breakers = Breakers()
        self._idle = IdleConnections()
        self._network: Network | None = None
        self._loading = trio.Lock()

    def check(self, purpose: Purpose, url: str) -> None:
        """Judge an address without looking up its host, as when a user enters it.

        Raises `Blocked` for what every request would refuse. What its host resolves to is judged at each request.
        """
        target = parse_target(url)
        self._check(target, purpose)
        if target.address is not None and self._proxy is None:
            self._policy.check_address(target, target.address, purpose, frozenset())

    async def request(
        self,
        purpose: Purpose,
        method: str,
        url: str,
        *,
        headers: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
        within: float | None = None,
    ) -> OutboundAnswer:
        """Send a request and read the whole answer, whatever its status.

        Raises `Blocked` when the node's rules forbid the address or a header; `Failed`, `TimedOut`, `BodyTooLarge`,
        `Unwanted` or `Paused` for what may pass. Of an answer that is no success, a body that is too large is cut, and
        one of another type is left out. `User-Agent` and `Accept` have defaults. Time that a request waits for its turn
        does not count.

        `within` are the seconds that other requests, such as those that redirected here, have left of the purpose's.
        If they are not enough, this host is not to blame, and is not left alone for it.
        """
        outcome = "cancelled"
        try:
            time = TimeLeft(purpose.seconds if within is None else min(within, purpose.seconds))
            answer = await self._follow(purpose, first_hop(method, url, headers, body), time)
            outcome = f"{answer.status // 100}xx"
            return answer
        except OutboundError as error:
            outcome = next(name for kind, name in _OUTCOMES if isinstance(error, kind))
            if isinstance(error, Blocked):
                logger.info("%s: refused: %s", purpose.name, error.why)
            raise
        finally:
            self._metrics.outbound_requests[purpose.name, outcome] += 1

    @property
    def running(self) -> int:
        """How many requests are under way."""
        return self._turns.running

    @property
    def idle(self) -> int:
        """How many connections are kept for another request."""
        return len(self._idle)

    @property
    def paused(self) -> int:
        """How many origins are left alone for now, because they failed or asked for it; counted for each purpose."""
        return self._breakers.open

    async def aclose(self) -> None:
        """Close the connections that are kept."""
        self._idle.close()

    async def _follow(self, purpose: Purpose, hop: Hop, time: TimeLeft) -> OutboundAnswer:
        for left in range(purpose.redirects, -1, -1):
            answer = await self._hop(purpose, hop, time, follow=left > 0)
            if isinstance(answer, OutboundAnswer):
                return answer
            hop = answer
        raise AssertionError("the last redirect is the answer")

    async def _hop(self, purpose: Purpose, hop: Hop, time: TimeLeft, *, follow: bool) -> OutboundAnswer | Hop:
        """One request to one host. The next one, if it answers with a redirect that is followed."""
        target = hop.target
        self._check(target, purpose)
        # Before the breaker: what fails here is no fault of the origin.
        network = await self._loaded()
        own = frozenset[IPNetwork]() if self._proxy is not None else await self._own.get()
        # Hosts that redirected here may have taken most of the time; then this one is not to blame.
        is_first = time.seconds >= purpose.seconds
        try:
            with self._breakers.attempt(purpose.name, target.origin, slowness_counts=is_first):
                with time.spend():
                    addresses = await self._judged_addresses(target, purpose, own)
                key = target.host if self._proxy is not None else str(addresses[0])
                async with self._turns.turn(purpose, key, target.origin):
                    self._breakers.check(purpose.name, target.origin)
                    with time.spend():
                        return await self._exchange(network, purpose, hop, addresses, follow)
        except trio.TooSlowError:
            raise TimedOut(f"{target.origin} took longer than {purpose.seconds:g} s") from None

    def _check(self, target: Target, purpose: Purpose) -> None:
        if self._proxy is None:
            self._policy.check_target(target, purpose)
        else:
            self._policy.check_for_proxy(target, purpose)

    async def _judged_addresses(self, target: Target, purpose: Purpose, own: frozenset[IPNetwork]) -> list[IPAddress]:
        """Where to connect to. All of a host's addresses must pass: a mix is an attack, or a mistake."""
        if self._proxy is not None:
            return await self._resolver.resolve(self._proxy.url.host.strip("[]"), purpose.name)
        known = target.address or self._idle.address(target.origin)
        addresses = [known] if known is not None else await self._resolver.resolve(target.host, purpose.name)
        for address in addresses:
            self._policy.check_address(target, address, purpose, own)
        return addresses

    async def _exchange(
        self, network: Network, purpose: Purpose, hop: Hop, addresses: list[IPAddress], follow: bool
    ) -> OutboundAnswer | Hop:
        origin = hop.target.origin
        connection = self._idle.reuse(origin, addresses[0])
        if connection is None:
            self._idle.shrink(self._connections - self._turns.running)
            connection = await network.connect(hop.target, addresses)
        keep = False
        try:
            incoming = await connection.send(hop)
            following = redirected(hop, incoming.status, incoming.headers) if follow else None
            if following is None:
                body = await read_body(incoming, purpose, hop)
                keep = connection.reusable
            else:
                body = b""
        finally:
            if keep:
                self._idle.keep(connection)
            else:
                connection.close()
        status, headers = incoming.status, incoming.headers
        self._breakers.answered(purpose.name, origin, status, headers.get("retry-after", ""))
        return following or OutboundAnswer(status, headers, body, hop.target.url, str(connection.address))

    async def _loaded(self) -> Network:
        async with self._loading:
            if self._network is None:
                try:
                    self._network = await trio.to_thread.run_sync(_make_network, self._proxy)
                except Exception as error:
                    logger.error("requests to other hosts cannot be made", exc_info=error)
                    raise Failed("the node cannot make requests to other hosts; see its log") from None
            return self._network


def _make_network(proxy: EgressProxy | None) -> Network:
    # Imported with the first request (docs/adr/0030-what-is-imported-when.md): most nodes of a small group send none,
    # and httpcore2 with the certificates of the system takes 0.1 s.
    from chatnode.outbound.connect import Network

    return Network(proxy)
