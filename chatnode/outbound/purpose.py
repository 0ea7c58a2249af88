"""What requests of one kind may do, and what comes back."""

from __future__ import annotations

from collections.abc import Mapping

from chatnode.model.records import record


@record(frozen=True)
class Purpose:
    """Rules for requests of one kind; times are seconds.

    `ports` are those that an address may name, beside the ones of `outbound.allow`. `redirects`: how many are followed;
    a redirect that is not followed is the answer. `seconds` is the whole request's time. `most_bytes` and `types`
    (media types without parameters, None for any) are of the answer's body; with `cut`, a longer one ends there instead
    of being refused. `at_a_time` requests run together, and never more than half of `outbound.connections`.
    """

    name: str
    ports: tuple[int, ...] = (80, 443)
    https_only: bool = False
    redirects: int = 0
    seconds: float = 15.0
    most_bytes: int = 16_384
    types: tuple[str, ...] | None = None
    at_a_time: int = 32
    cut: bool = False


@record(frozen=True)
class OutboundAnswer:
    """What came back. Header names are in lower case; `url` is where it came from after redirects, and `address` the
    IP address."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str
    address: str
