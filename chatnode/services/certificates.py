"""The certificate of the node's port: looking at it, obtaining it, revoking it."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, NoReturn

from chatnode.acme.errors import AcmeError, words_of
from chatnode.certificates.node_certificate import NodeCertificate
from chatnode.certificates.x509 import Facts
from chatnode.dispatch.caller import Caller
from chatnode.dispatch.subject import Subject
from chatnode.dispatch.table import command
from chatnode.errors import Refusal, StartError
from chatnode.model import permissions
from chatnode.model.commands.certificates import (
    Certificate,
    CertificateReply,
    CertificateStatus,
    IssueCertificate,
    RevokeCertificate,
)
from chatnode.model.commands.shared import Nothing
from chatnode.model.times import rfc3339

if TYPE_CHECKING:
    from chatnode.certificates.keeper import Keeper


@command("certificate.status", permission=permissions.OPERATE, reads=True)
async def status(ctx: Caller, asked: Nothing) -> CertificateStatus:
    """The certificate of the node's port, when it is renewed, and what is wrong with it."""
    part = ctx.core.part(NodeCertificate)
    if part.source is None:
        return CertificateStatus("none")
    _opened(part)
    report = await part.report()
    assert report is not None
    facts, problem = report
    if part.keeper is None:
        return CertificateStatus("files", _shown(facts), problem=problem)
    return CertificateStatus(
        "acme", _shown(facts), ctx.core.config.acme.directory, _time(await part.keeper.renews_at()),
        part.keeper.state.failures, problem,
    )  # fmt: skip


@command("certificate.issue", permission=permissions.OPERATE)
async def issue(ctx: Caller, asked: IssueCertificate) -> CertificateReply:
    """Obtain a certificate now, even if the current one is not due; new connections get it at once.

    The authority connects to the node's port, so the node must serve.
    """
    part = ctx.core.part(NodeCertificate)
    keeper = _keeper(part)
    if not part.serving:
        raise Refusal(
            "unavailable", "the authority connects to the node's port, and no node serves; start it with chatnode serve"
        )
    return await _told(keeper.rehearse() if asked.dry_run else keeper.issue(ctx.account))


@command("certificate.revoke", permission=permissions.OPERATE)
async def revoke(ctx: Caller, asked: RevokeCertificate) -> CertificateReply:
    """Revoke the certificate in use, because its key is not secret any more, for example.

    A node that serves obtains a new one at once, with a new key. Until then the revoked one stays in use.
    """
    part = ctx.core.part(NodeCertificate)
    keeper = _keeper(part)
    _opened(part)
    return await _told(keeper.revoke(asked.reason, ctx.account))


def _keeper(part: NodeCertificate) -> Keeper:
    if part.keeper is None:
        raise Refusal("conflict", "the node obtains no certificate: acme.accept_terms is not set")
    return part.keeper


def _opened(part: NodeCertificate) -> None:
    """Load what is stored, where no port did."""
    if part.in_use.context is None:
        try:
            part.open()
        except StartError as error:
            raise Refusal("conflict", str(error)) from None


async def _told(found: Awaitable[Facts]) -> CertificateReply:
    try:
        return CertificateReply(_shown(await found))
    except AcmeError as error:
        _refuse(error, error.retry_after or None)
    except OSError as error:
        _refuse(error, None)


def _refuse(error: Exception, retry_after: float | None) -> NoReturn:
    raise Refusal("unavailable", words_of(error), retry_after=retry_after) from None


def _shown(facts: Facts) -> Certificate:
    return Certificate(
        list(facts.names), facts.issuer, facts.serial, _time(facts.not_before), _time(facts.not_after),
        facts.self_signed,
    )  # fmt: skip


def _time(seconds: float) -> str:
    return rfc3339(int(seconds) * 1000)


SUBJECT = Subject(commands=(status, issue, revoke))
