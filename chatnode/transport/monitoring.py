"""Monitoring: `/health` and `/metrics`. Anyone may ask whether the node is healthy; numbers and reasons are for
operators. They are known by the permission to operate, or by asking from one of `server.metrics_addresses` itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from quart import Response, request
from quart.typing import ResponseReturnValue
from quart_trio import QuartTrio

from chatnode.addresses import is_among, is_loopback, parse_host
from chatnode.config import Config
from chatnode.dispatch.caller import Caller
from chatnode.dispatch.core import Core
from chatnode.errors import Refusal
from chatnode.model import permissions
from chatnode.protocol import codec
from chatnode.routing.sessions import SessionRegistry
from chatnode.services.health import SERVING
from chatnode.transport import metrics

Health = Callable[[], Awaitable[tuple[bool, dict[str, Any]]]]
JSON = "application/json"
_FORWARDED = {
    "forwarded",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-ingress-path",
    "x-real-ip",
}


def add_routes(
    app: QuartTrio, core: Core, registry: SessionRegistry, health: Health, sign_in: Callable[[], Awaitable[Caller]]
) -> None:
    """`sign_in` makes a context of the request's token, or raises `Refusal`."""

    async def operator() -> None:
        if not is_trusted(
            core.config,
            request.scope["client"],
            {name.lower(): value for name, value in request.headers.items()},
        ):
            (await sign_in()).check(permissions.OPERATE, reads=True)

    async def told(parts: dict[str, Any]) -> dict[str, Any]:
        """What this request's client may know."""
        try:
            await operator()
        except Refusal:
            return {name: {"status": part["status"]} for name, part in parts.items()}
        return parts

    async def everything() -> ResponseReturnValue:
        healthy, parts = await health()
        return _response(healthy, await told(parts))

    async def ready() -> ResponseReturnValue:
        _, parts = await health()
        serving = {name: parts[name] for name in SERVING}
        return _response(all(part["status"] == "ok" for part in serving.values()), await told(serving))

    async def live() -> ResponseReturnValue:
        return _response(True, {})

    async def metrics_page() -> ResponseReturnValue:
        await operator()
        _, parts = await health()
        return Response(await metrics.page(core, registry, parts), content_type=metrics.CONTENT_TYPE)

    rules = {"/health": everything, "/health/ready": ready, "/health/live": live, "/metrics": metrics_page}
    for address, answer in rules.items():
        app.add_url_rule(address, answer.__name__, answer, methods=["GET"])


def is_trusted(config: Config, client: tuple[str, int] | None, headers: Mapping[str, str]) -> bool:
    """Whether a request comes from one of `server.metrics_addresses` itself. `headers` are named in lower case.

    What a proxy passes on does not, and a proxy may not say that it is one: with a public URL and without a
    certificate of the node's own, this machine's addresses are taken for a proxy's. Nor does what a browser here was
    made to ask for by a page whose name was led to this address.
    """
    peer, server = client[0] if client else "", config.server
    if not is_among(peer, server.metrics_addresses) or is_among(peer, server.trusted_proxies):
        return False
    if _FORWARDED & headers.keys():
        return False
    if not is_loopback(peer):
        return True
    return not (server.public_url and not config.speaks_tls) and _names_this_machine(headers.get("host", ""))


def _names_this_machine(host: str) -> bool:
    try:
        name = parse_host(host).host
    except ValueError:
        return False
    return name == "localhost" or is_loopback(name)


def _response(healthy: bool, parts: dict[str, Any]) -> Response:
    body = {"status": "ok" if healthy else "failing", "parts": parts}
    return Response(codec.encode(body), status=200 if healthy else 503, content_type=JSON)
