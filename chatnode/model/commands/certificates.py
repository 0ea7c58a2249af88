"""The certificate of the node's port."""

from __future__ import annotations

from typing import Literal

from chatnode.model.records import record

Source = Literal["acme", "files", "none"]
RevocationReason = Literal["unspecified", "key_compromise", "superseded", "cessation_of_operation"]


@record
class Certificate:
    """What a certificate says; times as in RFC 3339. `self_signed`: no authority has issued it."""

    names: list[str]
    issuer: str
    serial: str
    valid_from: str
    expires_at: str
    self_signed: bool


@record
class CertificateStatus:
    """`source`: whether the certificate is obtained by ACME, or is in files that settings name. `next_try` is when it
    is renewed or tried again; `failures` counts tries in a row, and `problem` says why the certificate needs attention.
    """

    source: Source
    certificate: Certificate | None = None
    directory: str | None = None
    next_try: str | None = None
    failures: int = 0
    problem: str | None = None


@record
class IssueCertificate:
    """`dry_run`: with the directory `acme.staging`; its certificate is not used."""

    dry_run: bool = False


@record
class RevokeCertificate:
    reason: RevocationReason = "unspecified"


@record
class CertificateReply:
    certificate: Certificate
