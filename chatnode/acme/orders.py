"""From names to a certificate: order, authorizations, challenges, finalization, download (RFC 8555, section 7.4)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import attrs
import trio

from chatnode.acme.client import AcmeClient, Reply
from chatnode.acme.errors import AcmeError, AcmeProblem, Invalid, words_in
from chatnode.acme.jws import b64

ORDER_SECONDS = 600.0
"""How long the authority may take in all."""
_FIRST_WAIT, _MOST_WAIT = 0.1, 5.0
_TOKEN = re.compile("[A-Za-z0-9_-]{1,256}")


@attrs.frozen
class CertificateOrder:
    """An order that was placed, so that it can be resumed: with whom, for which names, and the certificate's key."""

    directory: str
    url: str
    domains: tuple[str, ...]
    key: str = attrs.field(repr=False)
    """PEM."""


class Responder(Protocol):
    """Answers the authority when it looks whether a name is ours. `kinds`: challenges that it can, the best first."""

    kinds: Sequence[str]

    def open(self, kind: str, domain: str, token: str, authorization: str) -> AbstractContextManager[None]:
        """A block within which a challenge is answered."""
        ...


async def place(
    client: AcmeClient, directory: str, domains: Sequence[str], key: str, *, profile: str = "", replaces: str = ""
) -> CertificateOrder:
    """Order a certificate. `replaces` names the one that it renews (RFC 9773). Raises `AcmeError`."""
    payload: dict[str, Any] = {"identifiers": [{"type": "dns", "value": domain} for domain in domains]}
    if profile:
        payload["profile"] = profile
    url = client.endpoint("newOrder")
    if replaces:
        try:
            reply = await client.post(url, {**payload, "replaces": replaces})
        except AcmeProblem as error:
            if error.retry_after or error.kind in ("rateLimited", "accountDoesNotExist"):
                raise
            reply = await client.post(url, payload)  # it was replaced already, or is not known there
    else:
        reply = await client.post(url, payload)
    return CertificateOrder(directory, reply.location, tuple(domains), key)


async def complete(client: AcmeClient, order: CertificateOrder, request: bytes, responder: Responder) -> str:
    """Lead an order to its end, wherever it is; gives the chain in PEM. `request` is the signing request in DER.

    Raises `Invalid` if only a new order can succeed, else `AcmeError`.
    """
    with trio.move_on_after(ORDER_SECONDS):
        return await _complete(client, order, request, responder)
    raise AcmeError(f"{client.host} took longer than {ORDER_SECONDS:.0f} s")


async def _complete(client: AcmeClient, order: CertificateOrder, request: bytes, responder: Responder) -> str:
    waits, done = _Waits(), set[str]()
    reply = await client.post(order.url, None)
    while (status := _status(found := reply.json)) != "valid":
        if status == "invalid":
            raise Invalid(f"{client.host}: {words_in(_problem_in(found))}", "invalid")
        if status == "pending" and status not in done:
            for url in _urls(found.get("authorizations")):
                await _authorize(client, url, responder)
        elif status == "ready" and status not in done:
            await _finalize(client, found, request)
        else:
            await waits.wait(reply)
        done.add(status)
        reply = await client.post(order.url, None)
    (url,) = _urls([found.get("certificate")])
    return (await client.post(url, None)).body.decode("ascii", "replace")


async def _finalize(client: AcmeClient, order: dict[str, Any], request: bytes) -> None:
    (url,) = _urls([order.get("finalize")])
    try:
        await client.post(url, {"csr": b64(request)})
    except AcmeProblem as error:
        if error.kind != "orderNotReady":  # which it says if an earlier try did reach it
            raise


async def _authorize(client: AcmeClient, url: str, responder: Responder) -> None:
    """Prove that one name is ours."""
    reply = await client.post(url, None)
    found = reply.json
    if _status(found) == "pending":
        challenge = _choose(client, found, responder)
        token = challenge.get("token")
        if not isinstance(token, str) or not _TOKEN.fullmatch(token):
            raise AcmeError(f"{client.host} sent a challenge whose token is not valid")
        authorization = f"{token}.{client.key.thumbprint}"
        with responder.open(challenge["type"], _name(found), token, authorization):
            if _status(challenge) == "pending":
                (answer_to,) = _urls([challenge.get("url")])
                await client.post(answer_to, {})
            waits = _Waits()
            while _status(found := reply.json) == "pending":
                await waits.wait(reply)
                reply = await client.post(url, None)
    if _status(found) != "valid":
        problems = (_problem_in(each) for each in _objects(found.get("challenges")))
        said = next((words_in(each) for each in problems if each), f"the authorization is {_status(found)}")
        raise Invalid(f"{_name(found)}: {client.host}: {said}", "unauthorized")


def _choose(client: AcmeClient, authorization: dict[str, Any], responder: Responder) -> dict[str, Any]:
    offered = {each.get("type"): each for each in _objects(authorization.get("challenges"))}
    for kind in responder.kinds:
        if kind in offered:
            return offered[kind]
    theirs = ", ".join(sorted(str(each) for each in offered))
    raise AcmeError(
        f"{_name(authorization)}: {client.host} offers the challenges {theirs or '(none)'}, and this node answers "
        f"{', '.join(responder.kinds)}; for http-01, set server.http_bind"
    )


class _Waits:
    """Between looks at something that is not done yet: as long as the authority says, else longer each time."""

    def __init__(self) -> None:
        self._next = _FIRST_WAIT

    async def wait(self, reply: Reply) -> None:
        said, own = reply.retry_after, self._next
        self._next = min(2 * own, _MOST_WAIT)
        await trio.sleep(own if said is None else max(own, said))  # some say 0


def _status(found: dict[str, Any]) -> str:
    return str(found.get("status"))[:40]


def _name(authorization: dict[str, Any]) -> str:
    name: Any = authorization.get("identifier")
    return str(name.get("value"))[:253] if isinstance(name, dict) else "?"  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType]


def _problem_in(found: dict[str, Any]) -> dict[str, Any]:
    problem: Any = found.get("error")
    return problem if isinstance(problem, dict) else {}  # pyright: ignore[reportUnknownVariableType]


def _objects(found: Any) -> list[dict[str, Any]]:
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []  # pyright: ignore[reportUnknownVariableType]


def _urls(found: Any) -> list[str]:
    """Raises `AcmeError` for anything but a list of strings."""
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):  # pyright: ignore[reportUnknownVariableType]
        raise AcmeError("the authority's answer lacks a URL")
    return found  # pyright: ignore[reportUnknownVariableType]
