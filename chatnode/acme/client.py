"""Signed requests to one authority, by the node's one way out (docs/adr/0039-one-way-out.md)."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from email.utils import parsedate_to_datetime
from typing import Any, NoReturn

import attrs
import orjson
import trio

from chatnode.acme.errors import AcmeError, AcmeProblem, AuthorityAway, kind_of, words_in
from chatnode.acme.jws import AccountKey, binding
from chatnode.addresses import parse_url
from chatnode.outbound.breakers import read_retry_after
from chatnode.outbound.client import Outbound
from chatnode.outbound.errors import Blocked, Failed, Paused
from chatnode.outbound.purpose import OutboundAnswer, Purpose

REPEATS, FIRST_REPEATS, NONCE_REPEATS = 10, 2, 20
"""How often a request is sent again: after a fault or a timeout; the first of all, so that it is soon known that the
authority is away; and with a new nonce, which costs nothing and is expected."""
_FIRST_WAIT, _MOST_WAIT = 0.5, 30.0
_SECONDS = 30.0
_MOST_BYTES = 1 << 18
MOST_RETRY_AFTER_SECONDS = 30 * 86_400.0
"""Limits of authorities are for a week, and longer than any service asks to wait otherwise."""


@attrs.frozen
class Reply:
    """What came back with a good status."""

    headers: Mapping[str, str]
    body: bytes = attrs.field(repr=False)

    @property
    def json(self) -> dict[str, Any]:
        """The object in the body. Raises `AcmeError`."""
        return _object(self.body) or _no_json()

    @property
    def location(self) -> str:
        """The URL of what was made. Raises `AcmeError`."""
        return self.headers.get("location", "") or _no_location()

    @property
    def retry_after(self) -> float | None:
        """Seconds until asking again makes sense, if the authority says so."""
        return read_retry_after(self.headers.get("retry-after", ""), MOST_RETRY_AFTER_SECONDS)


@attrs.frozen
class Binding:
    """What an authority gave its customer to open an account with."""

    kid: str
    key: bytes = attrs.field(repr=False)


class AcmeClient:
    """For the directory at `url`, with an account's key. `account` is its URL, empty before `sign_up`.

    `clock_ahead`: seconds by which this machine's clock is ahead of the authority's, as of its last answer.
    """

    def __init__(self, outbound: Outbound, url: str, key: AccountKey, account: str = "") -> None:
        self._outbound = outbound
        where = parse_url(url)
        # A purpose of its own for each, because of the port; whether it may be reached is for the operator's rules.
        ports = tuple({443, where.port})
        self._purpose = Purpose("acme", ports, https_only=True, seconds=_SECONDS, most_bytes=_MOST_BYTES)
        self._url = url
        self._nonces: list[str] = []
        self.host = where.host
        self.key = key
        self.account = account
        self.directory: dict[str, Any] = {}
        self.clock_ahead = 0.0

    async def open(self) -> None:
        """Read the directory. Raises `AcmeError`, as all methods do."""
        self.directory = (await self.get(self._url, repeats=FIRST_REPEATS)).json

    def endpoint(self, name: str) -> str:
        """The URL of an operation."""
        url = self.directory.get(name)
        if not isinstance(url, str):
            raise AcmeError(f"{self.host} is not an ACME directory, or has no {name}; check acme.directory")
        return url

    def offers(self, name: str) -> bool:
        """Whether the authority has an operation that not all have."""
        return isinstance(self.directory.get(name), str)

    @property
    def meta(self) -> dict[str, Any]:
        """What the authority says of itself."""
        found: Any = self.directory.get("meta")
        return found if isinstance(found, dict) else {}  # pyright: ignore[reportUnknownVariableType]

    async def sign_up(self, contact: str, bound: Binding | None) -> None:
        """Open the account of the key, or find it, and agree to the terms of service."""
        url = self.endpoint("newAccount")
        payload: dict[str, Any] = {"termsOfServiceAgreed": True, "contact": _contacts(contact)}
        if bound is not None:
            payload["externalAccountBinding"] = binding(self.key.jwk, bound.kid, bound.key, url)
        elif self.meta.get("externalAccountRequired"):
            raise AcmeError(f"{self.host} needs an account of yours there: set acme.eab_kid and acme.eab_key_file")
        self.account = ""
        self.account = (await self.post(url, payload)).location

    async def change_contact(self, contact: str) -> None:
        await self.post(self.account, {"contact": _contacts(contact)})

    async def get(self, url: str, repeats: int = REPEATS) -> Reply:
        """Without a signature, for what anyone may read."""
        return await self._repeated(lambda: self._send("GET", url), repeats)

    async def post(self, url: str, payload: Mapping[str, Any] | None) -> Reply:
        """A signed request; None reads (POST-as-GET)."""

        async def send() -> OutboundAnswer:
            protected = {"nonce": await self._nonce(), "url": url}
            signer = {"kid": self.account} if self.account else {"jwk": self.key.jwk}
            data = b"" if payload is None else orjson.dumps(payload)
            return await self._send("POST", url, self.key.sign({**protected, **signer}, data))

        return await self._repeated(send, REPEATS)

    async def _nonce(self) -> str:
        """Each is good for one request; answers bring new ones."""
        if not self._nonces:
            await self._send("HEAD", self.endpoint("newNonce"))
        if not self._nonces:
            raise AcmeError(f"{self.host} gave no nonce")
        return self._nonces.pop()

    async def _send(self, method: str, url: str, body: bytes = b"") -> OutboundAnswer:
        headers = [("Content-Type", "application/jose+json")] if body else []
        answer = await self._outbound.request(self._purpose, method, url, headers=headers, body=body)
        nonce = answer.headers.get("replay-nonce", "")
        if nonce:
            self._nonces = [nonce]  # the newest is the least likely to be forgotten
        self._compare_clocks(answer.headers.get("date", ""))
        return answer

    def _compare_clocks(self, date: str) -> None:
        with suppress(ValueError, TypeError, OverflowError):
            self.clock_ahead = time.time() - parsedate_to_datetime(date).timestamp()

    async def _repeated(self, send: Callable[[], Awaitable[OutboundAnswer]], repeats: int) -> Reply:
        """Send until there is an answer that will not change: a forgotten nonce, a fault of the authority and a broken
        connection may pass."""
        faults = nonces = 0
        while True:
            wait = 0.0
            try:
                answer = await send()
            except Paused as error:
                raise AuthorityAway(error.why, error.seconds) from None
            except Blocked as error:
                raise AcmeError(f"{error.why}; an authority of your own must be named in outbound.allow") from None
            except Failed as error:
                if faults == repeats:
                    raise AuthorityAway(error.why) from None
            else:
                problem = self._problem(answer)
                if problem is None:
                    return Reply(answer.headers, answer.body)
                if problem.kind == "badNonce" and nonces < NONCE_REPEATS:
                    nonces += 1
                    continue
                if answer.status < 500 or faults == repeats or problem.retry_after > _MOST_WAIT:
                    raise problem
                wait = problem.retry_after
            await trio.sleep(max(wait, wait_after(faults)))
            faults += 1

    def _problem(self, answer: OutboundAnswer) -> AcmeProblem | None:
        if 200 <= answer.status < 300:
            return None
        document = _object(answer.body) or {}
        words = words_in(document) if document else f"status {answer.status}"
        retry_after = read_retry_after(answer.headers.get("retry-after", ""), MOST_RETRY_AFTER_SECONDS) or 0.0
        return AcmeProblem(f"{self.host}: {words}", kind_of(document), answer.status, retry_after)


def wait_after(faults: int) -> float:
    """Seconds between a request and its repetition, after as many faults before this one."""
    return min(_FIRST_WAIT * 2**faults, _MOST_WAIT)


def _contacts(contact: str) -> list[str]:
    return [f"mailto:{contact}"] if contact else []


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        found: Any = orjson.loads(body)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None  # pyright: ignore[reportUnknownVariableType]


def _no_json() -> NoReturn:
    raise AcmeError("the authority answered without a JSON object; check acme.directory")


def _no_location() -> NoReturn:
    raise AcmeError("the authority's answer lacks the header Location")
