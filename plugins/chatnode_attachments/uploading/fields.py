"""Header fields of uploads, strictly: what is malformed is refused with its place."""

from __future__ import annotations

import binascii
import hashlib
import re
from base64 import b64decode
from collections.abc import Mapping

from chatnode.api import Refusal
from chatnode_attachments.store.sink import Checksum

MOST_METADATA_BYTES = 4_096
CHECKSUMS = ("sha1", "sha256")
_NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)
_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SHA_256 = re.compile(r"sha-256=:([A-Za-z0-9+/]*={0,2}):")


def number(headers: Mapping[str, str], name: str) -> int | None:
    """The value of a field that is a number of bytes; None without the field. Raises `Refusal`."""
    value = headers.get(name.lower())
    if value is None:
        return None
    if _NUMBER.fullmatch(value) is None:
        raise Refusal("invalid", f"{name} must be a number of bytes, in digits", path=name)
    return int(value)


def metadata(headers: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """`Upload-Metadata` as it was given, and its values by key. Raises `Refusal`."""
    given = headers.get("upload-metadata", "")
    if len(given) > MOST_METADATA_BYTES:
        raise _invalid("Upload-Metadata", f"has more than {MOST_METADATA_BYTES} bytes")
    values: dict[str, str] = {}
    for pair in given.split(",") if given.strip() else ():
        key, _, encoded = pair.strip().partition(" ")
        if _KEY.fullmatch(key) is None or key in values:
            raise _invalid("Upload-Metadata", "must have pairs of a key and a value in base64, and each key once")
        try:
            values[key] = _decoded("Upload-Metadata", encoded.strip()).decode()
        except UnicodeDecodeError:
            raise _invalid("Upload-Metadata", f"has a value of {key} that is not UTF-8") from None
    return given, values


def checksum(headers: Mapping[str, str]) -> Checksum | None:
    """`Upload-Checksum`: an algorithm and a digest in base64. Raises `Refusal`."""
    value = headers.get("upload-checksum")
    if value is None:
        return None
    algorithm, _, encoded = value.partition(" ")
    if algorithm not in CHECKSUMS:
        raise _invalid("Upload-Checksum", f"must begin with one of {', '.join(CHECKSUMS)}")
    return _checksum("Upload-Checksum", algorithm, encoded.strip())


def representation_digest(headers: Mapping[str, str]) -> Checksum | None:
    """The SHA-256 in `Repr-Digest` (RFC 9530); other algorithms are passed over. Raises `Refusal`."""
    value = headers.get("repr-digest")
    if value is None:
        return None
    for item in value.split(","):
        if item.strip().startswith("sha-256="):
            match = _SHA_256.fullmatch(item.strip())
            if match is None:
                raise _invalid("Repr-Digest", "must be sha-256=:BASE64:")
            return _checksum("Repr-Digest", "sha256", match[1])
    return None


def _checksum(field: str, algorithm: str, encoded: str) -> Checksum:
    digest = _decoded(field, encoded)
    size = hashlib.new(algorithm).digest_size
    if len(digest) != size:
        raise _invalid(field, f"must have {size} bytes in base64 for {algorithm}")
    return Checksum(algorithm, digest)


def _decoded(field: str, encoded: str) -> bytes:
    try:
        return b64decode(encoded, validate=True)
    except binascii.Error:
        raise _invalid(field, "has a value that is not base64") from None


def _invalid(field: str, what: str) -> Refusal:
    return Refusal("invalid", f"{field} {what}", path=field)
