"""Obtains a certificate by ACME and renews it in time, whatever becomes of the authority.

What is promised:

- The node serves all the while: with the certificate from before, or with a self-signed one until there is any.
- A certificate is used only once it is stored, covers all names, and belongs to its key.
- A node that is killed at any point goes on where it was: the order and its key are stored before anything depends
  on them.
"""

from __future__ import annotations

import math
import random
import ssl
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

import attrs
import trio

from chatnode.acme import orders, renewal_info
from chatnode.acme.client import MOST_RETRY_AFTER_SECONDS, AcmeClient
from chatnode.acme.errors import AcmeError, AcmeProblem, AuthorityAway, words_of
from chatnode.acme.jws import b64
from chatnode.acme.orders import CertificateOrder
from chatnode.acme.renewal_info import RenewalWindow
from chatnode.certificates import contexts, renewal, wanted, x509
from chatnode.certificates.authorities import Authorities
from chatnode.certificates.challenges import Challenges
from chatnode.certificates.in_use import CertificateInUse
from chatnode.certificates.store import CertificateStore, State
from chatnode.certificates.x509 import Facts
from chatnode.concurrency import Signal
from chatnode.config import Config
from chatnode.errors import Refusal
from chatnode.logs import get_logger
from chatnode.model.people import Account as Person
from chatnode.model.times import rfc3339
from chatnode.outbound.client import Outbound
from chatnode.storage.engine.connection import DatabaseError
from chatnode.storage.engine.database import Database
from chatnode.storage.people import audit

logger = get_logger("certificates")

T = TypeVar("T")

LONGEST_SLEEP = 3_600.0
"""The clock may be set, and the machine may sleep: look at the time again at least this often."""
CLOCK_SECONDS = 300.0
"""How far this machine's clock may be off before that is said."""
REASONS = {"unspecified": 0, "key_compromise": 1, "superseded": 4, "cessation_of_operation": 5}
"""Why a certificate is revoked (RFC 5280, section 5.3.1)."""
_LASTING = frozenset({"badNonce", "rateLimited", "serverInternal"})
"""Problems after which an order can still be completed."""


class Keeper:
    """`open` it before the node serves, and `run` it while it does. One at a time deals with the authority."""

    def __init__(
        self, config: Config, store: CertificateStore, in_use: CertificateInUse, challenges: Challenges,
        db: Database, outbound: Outbound,
    ) -> None:  # fmt: skip
        self._config = config
        self._settings = config.acme
        self._store = store
        self._in_use = in_use
        self._challenges = challenges
        self._db = db
        self._authorities = Authorities(config.acme, store, outbound)
        self._busy = trio.Lock()
        self._woken = Signal()
        self._window: RenewalWindow | None = None
        self._look_at = -math.inf
        self._clock = ""
        self.state = State()

    def open(self) -> None:
        """Load what is stored; without anything that can be used, make a self-signed certificate."""
        self.state = self._store.state()
        path = self._store.certificate
        try:
            pem = path.read_bytes()
            x509.read(pem)
            self._in_use.take(contexts.of_pem(pem), pem)
            self._forget_completed(pem)
            return
        except FileNotFoundError:
            pass
        except (OSError, ssl.SSLError, ValueError) as error:
            logger.error("%s: cannot be used: %s", path, error)
        pem = x509.self_signed(wanted.domains(self._config))
        self._in_use.take(contexts.of_pem(pem), pem)

    async def run(self) -> None:
        """Obtain and renew until cancelled. Nothing that goes wrong here ends the node."""
        while True:
            await self._contained(self._look_up_window)
            if await self._due_at() <= time.time():
                await self._contained(partial(self.issue, automatic=True))
            wait = min(max(await self._due_at() - time.time(), 1.0), LONGEST_SLEEP)
            with trio.move_on_after(wait):
                await self._woken.wait()

    async def issue(self, actor: Person | None = None, *, automatic: bool = False) -> Facts:
        """Obtain a certificate now. Raises `AcmeError` or `OSError`; the one in use then stays.

        Tries that somebody asked for do not make the waits between the node's own longer.
        """
        async with self._busy:
            try:
                order, chain = await self._obtained()
                facts = await self._adopt(order, chain)
            except Exception as error:
                failures = self.state.failures + 1 if automatic else max(self.state.failures, 1)
                await self._note_failure(error, failures)
                raise
            logger.info("%s: a new certificate of %s is in use", ", ".join(facts.names), facts.issuer)
            await self._audit(actor, "certificate.issue", facts)
            return facts

    async def rehearse(self) -> Facts:
        """All of it with the staging directory, whose certificate is then thrown away. Raises as `issue`."""
        async with self._busy:
            directory, domains = self._settings.staging, wanted.domains(self._config)

            async def order() -> str:
                client = await self._authorities.signed_in(directory)
                key = await trio.to_thread.run_sync(x509.new_key)
                order = await orders.place(client, directory, domains, key)
                return await self._complete(client, order)

            chain = await self._with_account(directory, order)
            return await trio.to_thread.run_sync(x509.read, chain.encode())

    async def revoke(self, reason: str, actor: Person | None) -> Facts:
        """Revoke the certificate in use; a node that serves then obtains another. Raises as `issue`."""
        async with self._busy:
            facts = await self._in_use.facts()
            if facts.self_signed:
                raise AcmeError("there is no certificate to revoke")
            payload = {"certificate": b64(facts.der), "reason": REASONS[reason]}
            try:
                await self._revoke(payload)
            except AcmeProblem as error:
                if error.kind != "alreadyRevoked":
                    raise
            await self._remember(revoked=facts.serial, failures=0)
            await self._audit(actor, "certificate.revoke", facts, reason=reason)
            self._woken.notify()
            return facts

    def problem(self, facts: Facts) -> str | None:
        """Why the certificate needs somebody's attention; the authority's own words, if it said why."""
        state, unfit = self.state, "" if facts.self_signed else self._why_unfit(facts)
        late = renewal.is_late(facts, time.time())
        if not facts.self_signed and not (state.failures and (unfit or late)):
            return None
        said = [unfit, state.problem or "no certificate has been obtained yet"]
        if state.failures:
            said.append(f"next try at {_shown(self._next_try())}")
        return "; ".join(each for each in (*said, self._clock) if each)

    async def renews_at(self) -> float:
        """When the next try is due, in seconds since 1970."""
        return await self._due_at()

    def _forget_completed(self, pem: bytes) -> None:
        """The node was killed after the certificate was stored, and before it was noted that its order is done."""
        order = self.state.order
        if order is not None and pem.startswith(order.key.strip().encode()):
            self.state = State(order.directory)

    # ---- when

    async def _due_at(self) -> float:
        after_failures = self._next_try() if self.state.failures else 0.0
        facts = await self._in_use.facts()
        if facts.self_signed or self._why_unfit(facts):
            return after_failures
        return max(renewal.due_at(facts, self._window, self.state.early_at), after_failures)

    def _next_try(self) -> float:
        """After failures. The wait after a try in the future does not count: the clock was set back since."""
        state, now = self.state, time.time()
        if not state.failed_at:  # the version before did not store it
            return state.next_try if state.next_try <= now + MOST_RETRY_AFTER_SECONDS else now
        if state.failed_at > now + CLOCK_SECONDS:
            return min(state.next_try, now)
        return min(state.next_try, state.failed_at + MOST_RETRY_AFTER_SECONDS)

    def _why_unfit(self, facts: Facts) -> str:
        """Why a certificate of an authority must be replaced now, whenever it expires; empty if it need not be."""
        return "it is revoked" if facts.serial == self.state.revoked else self._why_unwanted(facts)

    def _why_unwanted(self, facts: Facts) -> str:
        """Empty if it has all names and is of the authority in the settings."""
        missing = set(wanted.domains(self._config)) - set(facts.names)
        if missing:
            return f"it is not for {', '.join(sorted(missing))}"
        if self.state.directory not in ("", self._settings.directory):
            return "it is not from the authority in acme.directory"
        return ""

    async def _look_up_window(self) -> None:
        """Ask the authority when it wants the certificate renewed, if that is due."""
        async with self._busy:
            facts, now = await self._in_use.facts(), trio.current_time()
            if not facts.ari or facts.self_signed or now < self._look_at or self._why_unwanted(facts):
                return
            self._look_at = now + renewal_info.LOOK_SECONDS
            client = await self._authorities.connect(self._settings.directory)
            self._compare_clocks(client)
            if client.offers("renewalInfo"):
                window, wait = await renewal_info.suggested(client, facts.ari)
                if window != self._window and window is not None and window.why:
                    logger.info("%s suggests another time to renew: %s", client.host, window.why)
                self._window, self._look_at = window, now + wait

    # ---- how

    async def _revoke(self, payload: dict[str, Any]) -> None:
        """With the account that obtained it, else with the certificate's own key: the account may be lost."""
        directory = self.state.directory or self._settings.directory
        try:
            client = await self._authorities.signed_in(directory)
            await client.post(client.endpoint("revokeCert"), payload)
        except AuthorityAway:
            raise
        except (AcmeError, OSError) as error:
            if isinstance(error, AcmeProblem) and error.kind == "alreadyRevoked":
                raise
            logger.info("the account at %s cannot revoke the certificate: %s", directory, words_of(error))
            client = await self._authorities.without_account(directory, self._in_use.pem.decode())
            await client.post(client.endpoint("revokeCert"), payload)

    async def _obtained(self) -> tuple[CertificateOrder, str]:
        directory = self._settings.directory
        return await self._with_account(directory, self._ordered)

    async def _with_account(self, directory: str, run: Callable[[], Awaitable[T]]) -> T:
        """Run it, and once more if the authority has forgotten the account."""
        try:
            return await run()
        except AcmeProblem as error:
            if error.kind != "accountDoesNotExist":
                raise
            await self._authorities.forget(directory)
            return await run()

    async def _ordered(self) -> tuple[CertificateOrder, str]:
        """Complete the order that is under way, if it still can be, else a new one."""
        client = await self._authorities.signed_in(self._settings.directory)
        self._compare_clocks(client)
        earlier, domains = self.state.order, wanted.domains(self._config)
        if earlier is not None and (earlier.directory, earlier.domains) == (self._settings.directory, domains):
            try:
                return earlier, await self._complete(client, earlier)
            except AcmeProblem as error:
                await self._drop_order(error)
                logger.info("the order from before the restart cannot be completed: %s", error.words)
        order = await self._place(client, domains)
        try:
            return order, await self._complete(client, order)
        except AcmeProblem as error:
            await self._drop_order(error)
            raise

    async def _drop_order(self, error: AcmeProblem) -> None:
        """Forget the order if nothing can come of it. Raises the error otherwise."""
        if error.kind in _LASTING or error.status >= 500:
            raise error
        await self._remember(order=None)

    async def _place(self, client: AcmeClient, domains: tuple[str, ...]) -> CertificateOrder:
        facts = await self._in_use.facts()
        renews = client.offers("renewalInfo") and not facts.self_signed and not self._why_unwanted(facts)
        key = await trio.to_thread.run_sync(x509.new_key)
        order = await orders.place(
            client, self._settings.directory, domains, key,
            profile=self._settings.profile, replaces=facts.ari if renews else "",
        )  # fmt: skip
        await self._remember(order=order)
        return order

    async def _complete(self, client: AcmeClient, order: CertificateOrder) -> str:
        request = await trio.to_thread.run_sync(x509.signing_request, order.key, order.domains)
        return await orders.complete(client, order, request, self._challenges)

    async def _adopt(self, order: CertificateOrder, chain: str) -> Facts:
        """Check, store and use a certificate, in this order."""
        pem = f"{order.key.strip()}\n{chain.strip()}\n".encode()
        try:
            context = await trio.to_thread.run_sync(contexts.of_pem, pem)
            facts = await trio.to_thread.run_sync(x509.read, pem)
        except (ValueError, ssl.SSLError) as error:
            await self._remember(order=None)
            raise AcmeError(f"the certificate does not belong to its key, and is not used: {error}") from None
        missing = set(order.domains) - set(facts.names)
        if missing:
            await self._remember(order=None)
            raise AcmeError(f"the certificate is not for {', '.join(sorted(missing))}, and is not used")
        replaced, now = await self._in_use.facts(), time.time()
        early_at = now if not replaced.self_signed and renewal.is_early(replaced, now) else 0.0
        await trio.to_thread.run_sync(self._store.save_certificate, pem)
        self._in_use.take(context, pem)
        self._window, self._look_at = None, -math.inf
        try:
            await self._remember(**attrs.asdict(State(order.directory, early_at=early_at)))
        except OSError as error:  # it is in use all the same, and the order is not resumed before the next renewal
            logger.warning("%s: %s", self._store.directory, error.strerror)
        return facts

    # ---- what is kept and said

    async def _remember(self, **changes: object) -> None:
        """Raises `OSError`; the change counts until the node stops all the same."""
        self.state = attrs.evolve(self.state, **changes)  # pyright: ignore[reportArgumentType]
        await trio.to_thread.run_sync(self._store.save_state, self.state)

    async def _note_failure(self, error: Exception, failures: int) -> None:
        expected = isinstance(error, AcmeError | OSError)
        words = words_of(error) if expected else f"{type(error).__name__}; see the log"
        facts = await self._in_use.facts()
        left = 0.0 if facts.self_signed else facts.not_after - time.time()
        retry_after = error.retry_after if isinstance(error, AcmeError) else 0.0
        wait = renewal.wait_after(failures, retry_after, left, random.random())
        now = time.time()
        next_try = now + wait
        logger.error(
            "no certificate for %s: %s; next try at %s%s",
            ", ".join(wanted.domains(self._config)), words, _shown(next_try), f"; {self._clock}" if self._clock else "",
        )  # fmt: skip
        try:
            await self._remember(failures=failures, failed_at=now, next_try=next_try, problem=words)
        except OSError as full:
            logger.warning("%s: %s", self._store.directory, full.strerror)

    def _compare_clocks(self, client: AcmeClient) -> None:
        before, ahead = self._clock, client.clock_ahead
        direction = "ahead of" if ahead > 0 else "behind"
        is_off = abs(ahead) > CLOCK_SECONDS
        self._clock = f"this machine's clock is {abs(ahead):.0f} s {direction} that of {client.host}" if is_off else ""
        if self._clock and not before:
            logger.warning("%s; correct it, or certificates will seem invalid", self._clock)

    async def _audit(self, actor: Person | None, action: str, facts: Facts, **details: str) -> None:
        record = partial(
            audit.record, actor=actor, action=action, target=facts.names[0], names=", ".join(facts.names)[:500],
            serial=facts.serial, issuer=facts.issuer[:200], expires_at=_shown(facts.not_after), **details,
        )  # fmt: skip
        try:
            await self._db.write(lambda tx: record(tx))
        except (Refusal, DatabaseError) as error:
            logger.warning("%s was not written to the audit log: %s", action, error)

    async def _contained(self, run: Callable[[], Awaitable[object]]) -> None:
        try:
            await run()
        except (AcmeError, OSError) as error:
            logger.debug("%s", words_of(error))  # what matters of it was logged where it was met
        except Exception:
            logger.exception("the certificate could not be checked")


def _shown(seconds: float) -> str:
    return rfc3339(int(seconds) * 1000)
