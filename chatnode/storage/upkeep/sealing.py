"""The file of a backup: a header, a manifest, and the data in frames, each of which proves that it is in its place.

    chatnode-backup 1 ⏎
    {"cipher": …, "kdf": …, "salt": …, "key_check": …} ⏎
    SHA-256 of that line, in hexadecimal ⏎
    frames: length (4 bytes, big-endian) · sealed zlib stream of at most 1 MiB

The first frame is the manifest (JSON), the others the data. A frame is sealed with the header's hash, its number
and whether it is the last, so that frames that are changed, moved, missing or from another file are found. With a
passphrase the seal is ChaCha20-Poly1305 under a key by argon2id with a salt of the file's own, which is why counting
nonces are safe; without one it is a SHA-256, which finds accidents and no malice.

Many files may share a salt, as deriving its key takes a tenth of a second. Each then has a `subkey` in its header, and
its own key is the HMAC of that under the shared one.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import zlib
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import orjson
from argon2.low_level import Type, hash_secret_raw

from chatnode.errors import StartError
from chatnode.model.records import record
from chatnode.storage.engine.durable_files import private_file

MAGIC = b"chatnode-backup 1\n"
FRAME_BYTES = 1 << 20
_KDF = {"name": "argon2id", "time": 3, "memory_kib": 65_536, "lanes": 4}
_MOST_MEMORY_KIB = 1 << 20
_MOST_HEADER = 4_096
_SHA256 = 32
_SALT = 16


class BackupError(StartError):
    """A backup cannot be made, read or restored; the message says why and what to do."""


class _Seal(Protocol):
    def close(self, number: int, data: bytes, about: bytes) -> bytes: ...

    def open(self, number: int, data: bytes, about: bytes) -> bytes | None:
        """None when it is not what was sealed."""
        ...


class _Encrypted:
    def __init__(self, key: bytes) -> None:
        # Imported for the first file with a passphrase: it takes 7 MiB, and most nodes never see one.
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

        self._cipher, self._invalid = ChaCha20Poly1305(key), InvalidTag

    def close(self, number: int, data: bytes, about: bytes) -> bytes:
        return self._cipher.encrypt(number.to_bytes(12), data, about)

    def open(self, number: int, data: bytes, about: bytes) -> bytes | None:
        try:
            return self._cipher.decrypt(number.to_bytes(12), data, about)
        except self._invalid:
            return None


class _Plain:
    def close(self, number: int, data: bytes, about: bytes) -> bytes:
        return data + hashlib.sha256(about + data).digest()

    def open(self, number: int, data: bytes, about: bytes) -> bytes | None:
        data, digest = data[:-_SHA256], data[-_SHA256:]
        return data if hashlib.sha256(about + data).digest() == digest else None


@record(frozen=True)
class _Header:
    line: bytes
    seal: _Seal

    def about(self, number: int, last: bool) -> bytes:
        return hashlib.sha256(self.line).digest() + number.to_bytes(8) + bytes([last])


# ---- writing


class _Source(Protocol):
    """What is sealed."""

    def read(self, size: int, /) -> bytes: ...


def write(
    path: Path,
    manifest: dict[str, Any],
    source: _Source,
    passphrase: str | None,
    progress: Callable[[int], None] = lambda taken: None,
    *,
    salt: bytes | None = None,
) -> None:
    """Write a new file and flush it to disk. `progress` is told how many bytes of `source` were taken so far.

    `salt` is one that several files share; None: one of its own. Nobody else may read the file. Raises
    `FileExistsError`, also for a link in its place.
    """
    with private_file(path) as file:
        header = _new_header(passphrase, salt)
        file.write(MAGIC + header.line + hashlib.sha256(header.line).hexdigest().encode() + b"\n")
        data, taken, number = orjson.dumps(manifest), 0, 0
        while True:
            following = source.read(FRAME_BYTES)
            sealed = header.seal.close(number, zlib.compress(data, 1), header.about(number, not following))
            file.write(len(sealed).to_bytes(4) + sealed)
            if not following:
                break
            data, number, taken = following, number + 1, taken + len(following)
            progress(taken)


def _new_header(passphrase: str | None, shared: bytes | None) -> _Header:
    if passphrase is None:
        return _Header(orjson.dumps({"cipher": "none"}) + b"\n", _Plain())
    salt = shared or os.urandom(_SALT)
    key, key_check = derive(passphrase, salt)
    fields = {"cipher": "chacha20-poly1305", "kdf": _KDF, "salt": salt.hex(), "key_check": key_check}
    if shared is not None:
        subkey = os.urandom(_SALT)
        fields["subkey"], key = subkey.hex(), _key_of_file(key, subkey)
    return _Header(orjson.dumps(fields) + b"\n", _Encrypted(key))


def _key_of_file(key: bytes, subkey: bytes) -> bytes:
    return hmac.digest(key, b"file " + subkey, "sha256")


def derive(passphrase: str, salt: bytes) -> tuple[bytes, str]:
    """The key of a passphrase with a salt, and something to recognize the right passphrase by."""
    return _derive(passphrase, salt, _KDF["time"], _KDF["memory_kib"], _KDF["lanes"])


@lru_cache(4)  # for files that share a salt
def _derive(passphrase: str, salt: bytes, time: int, memory_kib: int, lanes: int) -> tuple[bytes, str]:
    derived = hash_secret_raw(
        passphrase.encode(), salt, time_cost=time, memory_cost=memory_kib, parallelism=lanes, hash_len=40, type=Type.ID
    )
    return derived[:32], derived[32:].hex()


# ---- reading


def read(path: Path, passphrase: str | None) -> tuple[dict[str, Any], Iterator[bytes]]:
    """The manifest, and the data in pieces; the data is whole only when the iterator has ended without an error.

    Raises `BackupError`, here or from the iterator.
    """
    frames = _frames(path, passphrase)
    manifest: dict[str, Any] = orjson.loads(next(frames))
    return manifest, frames


def salt_of(path: Path) -> str | None:
    """The salt that a file was sealed with, in hexadecimal; None without a passphrase. Raises `BackupError`."""
    try:
        with path.open("rb") as file:
            return _header_fields(file, path)[0].get("salt")
    except OSError as error:
        raise BackupError(f"{path}: cannot be read: {error.strerror}") from None


def _frames(path: Path, passphrase: str | None) -> Iterator[bytes]:
    with path.open("rb") as file:
        header = _read_header(file, path, passphrase)
        size = path.stat().st_size
        number, last = 0, False
        while not last:
            length = int.from_bytes(file.read(4))
            sealed = file.read(length) if length <= 2 * FRAME_BYTES else b""
            if not length or len(sealed) < length:
                raise BackupError(f"{path}: truncated or damaged in frame {number}; this copy cannot be restored")
            last = file.tell() == size
            data = header.seal.open(number, sealed, header.about(number, last))
            if data is None:
                raise BackupError(
                    f"{path}: frame {number} is damaged, or frames are missing or in another order; "
                    "this copy cannot be restored"
                )
            yield _inflate(data, path, number)
            number += 1


def _inflate(data: bytes, path: Path, number: int) -> bytes:
    try:
        inflater = zlib.decompressobj()
        plain = inflater.decompress(data, FRAME_BYTES)
    except zlib.error as error:
        raise BackupError(f"{path}: frame {number} is damaged: {error}") from None
    if not inflater.eof:
        raise BackupError(f"{path}: frame {number} is damaged: it does not end")
    return plain


def _read_header(file: BinaryIO, path: Path, passphrase: str | None) -> _Header:
    fields, line = _header_fields(file, path)
    try:
        return _known_header(fields, line, path, passphrase)
    except (KeyError, TypeError, ValueError):
        raise BackupError(f"{path}: this chatnode does not know its format") from None


def _header_fields(file: BinaryIO, path: Path) -> tuple[dict[str, Any], bytes]:
    if file.read(len(MAGIC)) != MAGIC:
        raise BackupError(f"{path}: not a chatnode backup")
    line, digest = file.readline(_MOST_HEADER), file.readline(_MOST_HEADER)
    if digest != hashlib.sha256(line).hexdigest().encode() + b"\n":
        raise BackupError(f"{path}: the header is damaged; this copy cannot be restored")
    try:
        return orjson.loads(line), line
    except ValueError:
        raise BackupError(f"{path}: this chatnode does not know its format") from None


def _known_header(fields: dict[str, Any], line: bytes, path: Path, passphrase: str | None) -> _Header:
    if fields["cipher"] == "none":
        return _Header(line, _Plain())
    if fields["cipher"] != "chacha20-poly1305" or fields["kdf"]["memory_kib"] > _MOST_MEMORY_KIB:
        raise BackupError(f"{path}: made by a newer chatnode; this one cannot read it")
    if passphrase is None:
        raise BackupError(f"{path}: is encrypted; pass its passphrase with --passphrase-file")
    kdf = fields["kdf"]
    key, key_check = _derive(passphrase, bytes.fromhex(fields["salt"]), kdf["time"], kdf["memory_kib"], kdf["lanes"])
    if key_check != fields["key_check"]:
        raise BackupError(f"{path}: the passphrase is wrong")
    if "subkey" in fields:
        key = _key_of_file(key, bytes.fromhex(fields["subkey"]))
    return _Header(line, _Encrypted(key))


def passphrase_of(path: Path) -> str:
    """The passphrase in a file, without the line break at its end. Raises `BackupError`."""
    try:
        text = path.read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        raise BackupError(f"{path}: the passphrase cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise BackupError(f"{path}: the passphrase is not UTF-8") from None
    if not text:
        raise BackupError(f"{path}: the passphrase is empty")
    return text
