"""Looking names up, and this machine's own addresses. Both block, so both run in threads."""

from __future__ import annotations

import socket
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from ipaddress import IPv4Network, IPv6Network, ip_address
from pathlib import Path
from typing import cast

import trio

from chatnode.addresses import IPAddress, IPNetwork
from chatnode.outbound.errors import Failed, Paused, TimedOut

THREADS = 16
"""Resolvers that do not answer keep these busy, and not the threads that others need."""
OF_A_PURPOSE = 8
OF_A_DOMAIN = 2
"""As many of them at most: users choose what some requests look up, and a few can own a domain whose resolver hangs."""
RESOLVE_SECONDS = 5.0
KEEP_FAILURE_SECONDS = 30.0
MOST_FAILURES = 1_024

Lookup = Callable[[str], Sequence[str]]
"""Gives a host's addresses, the best first. Blocks; raises `OSError`."""


def look_up(host: str) -> list[str]:
    """By the system's resolver, in the order of RFC 6724."""
    # As bytes, because Python would encode a string once more, by another version of IDNA.
    found = socket.getaddrinfo(host.encode("ascii"), None, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


class Resolver:
    """Answers are not kept: an address is judged each time that a connection is made. A failure is, for 30 s."""

    def __init__(self, lookup: Lookup = look_up) -> None:
        self._lookup = lookup
        self._turns = LookupTurns()
        self._failures: dict[str, tuple[float, Failed]] = {}

    @property
    def running(self) -> int:
        """How many threads look up names, among them those for which nobody waits any more."""
        return self._turns.running

    async def resolve(self, host: str, purpose: str) -> list[IPAddress]:
        """The addresses of a host, without repeats. Raises `Failed`, and `Paused` when too many look up names."""
        now = trio.current_time()
        until, failure = self._failures.get(host, (now, None))
        if failure is not None and now < until:
            raise type(failure)(failure.why)
        try:
            return await self._resolve(host, self._turns.of(purpose, host))
        except Paused:
            raise
        except Failed as error:
            self._failures.pop(host, None)
            self._failures[host] = (trio.current_time() + KEEP_FAILURE_SECONDS, error)
            if len(self._failures) > MOST_FAILURES:
                del self._failures[next(iter(self._failures))]
            raise

    async def _resolve(self, host: str, turn: LookupTurn) -> list[IPAddress]:
        addresses: list[IPAddress] = []
        began = False
        with trio.move_on_after(RESOLVE_SECONDS) as waiting:

            def begin() -> None:
                nonlocal began
                began = True
                waiting.deadline = trio.current_time() + RESOLVE_SECONDS

            def run() -> Sequence[str]:
                trio.from_thread.run_sync(begin)  # waiting for a thread says nothing of the host
                return self._lookup(host)

            try:
                # A thread that takes too long is left alone, and keeps its turn until it ends.
                found = await trio.to_thread.run_sync(
                    run, limiter=cast("trio.CapacityLimiter", turn), abandon_on_cancel=True
                )
                addresses = list(dict.fromkeys(ip_address(text) for text in found))
            except (OSError, ValueError):
                pass
        if waiting.cancelled_caught and not began:
            raise Paused(f"too many other names are being looked up before {host}", RESOLVE_SECONDS)
        if waiting.cancelled_caught:
            raise TimedOut(f"looking up {host} took too long")
        if not addresses:
            raise Failed(f"{host} is not known or has no address")
        return addresses


# ---- turns


class LookupTurn:
    """What `trio.to_thread` takes for a limiter: several, all of which must have room."""

    def __init__(self, limiters: Sequence[trio.CapacityLimiter]) -> None:
        self._limiters = limiters

    async def acquire_on_behalf_of(self, borrower: object) -> None:
        with ExitStack() as taken:
            for limiter in self._limiters:
                await limiter.acquire_on_behalf_of(borrower)
                taken.callback(limiter.release_on_behalf_of, borrower)
            taken.pop_all()

    def release_on_behalf_of(self, borrower: object) -> None:
        for limiter in reversed(self._limiters):
            limiter.release_on_behalf_of(borrower)


class LookupTurns:
    """How many names are looked up at a time: in a domain for a purpose, for the purpose, and in all, in this order:
    those that wait for a slow domain take no other turn."""

    def __init__(self) -> None:
        self._all = trio.CapacityLimiter(THREADS)
        self._purposes = defaultdict[str, trio.CapacityLimiter](lambda: trio.CapacityLimiter(OF_A_PURPOSE))
        self._domains: dict[tuple[str, str], trio.CapacityLimiter] = {}

    @property
    def running(self) -> int:
        """How many turns are taken."""
        return int(self._all.borrowed_tokens)

    def of(self, purpose: str, host: str) -> LookupTurn:
        """The turn of a look-up that begins now."""
        domain = ".".join(host.rstrip(".").split(".")[-2:])
        self._domains = {name: limiter for name, limiter in self._domains.items() if is_used(limiter)}
        of_domain = self._domains.setdefault((purpose, domain), trio.CapacityLimiter(OF_A_DOMAIN))
        return LookupTurn((of_domain, self._purposes[purpose], self._all))


def is_used(limiter: trio.CapacityLimiter) -> bool:
    return bool(limiter.borrowed_tokens or limiter.statistics().tasks_waiting)


# ---- this machine


OWN_SECONDS = 10.0
"""How long this machine's addresses are kept; they may change at any time."""


def own_addresses(proc: Path = Path("/proc/net")) -> frozenset[IPNetwork]:
    """The addresses of all interfaces, and networks that are routed to this machine itself, as Linux lists them for
    everyone. Raises `OSError`."""
    found: set[IPNetwork] = set()
    address = ""
    for line in (proc / "fib_trie").read_text().splitlines():
        if "|--" in line:
            address = line.split()[-1]
        elif line.endswith("host LOCAL"):
            found.add(IPv4Network(address + line.split()[0]))
    if (proc / "if_inet6").exists():  # not where IPv6 is off
        for line in (proc / "if_inet6").read_text().splitlines():
            found.add(IPv6Network(int(line[:32], 16)))
    return frozenset(found)


class OwnAddresses:
    """This machine's addresses, read again when they are old."""

    def __init__(self, read: Callable[[], frozenset[IPNetwork]] = own_addresses) -> None:
        self._read = read
        self._until = float("-inf")
        self._found: frozenset[IPNetwork] = frozenset()

    async def get(self) -> frozenset[IPNetwork]:
        """Raises `Failed` if they cannot be read: then no address can be judged."""
        if trio.current_time() >= self._until:
            try:
                self._found = await trio.to_thread.run_sync(self._read)
            except (OSError, ValueError):
                raise Failed("this machine's own addresses cannot be read, so nothing is sent") from None
            self._until = trio.current_time() + OWN_SECONDS
        return self._found
