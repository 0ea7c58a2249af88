"""A backup's file gives back what was put in, or says that it cannot: never anything else."""

from __future__ import annotations

import hashlib
import io
import os
import random
from pathlib import Path

import pytest

from chatnode.storage.upkeep import sealing
from chatnode.storage.upkeep.sealing import FRAME_BYTES, BackupError

pytestmark = pytest.mark.usefixtures("quick_keys")

PASSPHRASE = "four words are enough"
DATA = random.Random(1).randbytes(2 * FRAME_BYTES + 12_345)


def sealed(path: Path, passphrase: str | None, data: bytes = DATA) -> Path:
    sealing.write(path, {"sha256": hashlib.sha256(data).hexdigest()}, io.BytesIO(data), passphrase, lambda done: None)
    return path


def opened(path: Path, passphrase: str | None) -> bytes:
    manifest, pieces = sealing.read(path, passphrase)
    data = b"".join(pieces)
    assert manifest["sha256"] == hashlib.sha256(data).hexdigest()
    return data


@pytest.fixture(params=[None, PASSPHRASE], ids=["plain", "encrypted"])
def passphrase(request: pytest.FixtureRequest) -> str | None:
    return request.param


@pytest.mark.parametrize("size", [1, FRAME_BYTES - 1, FRAME_BYTES, FRAME_BYTES + 1, len(DATA)])
def test_what_is_sealed_is_opened(tmp_path: Path, passphrase: str | None, size: int) -> None:
    assert opened(sealed(tmp_path / "b", passphrase, DATA[:size]), passphrase) == DATA[:size]


def test_at_the_real_cost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sealing._KDF, "memory_kib", 65_536)
    monkeypatch.setitem(sealing._KDF, "time", 3)
    assert opened(sealed(tmp_path / "b", PASSPHRASE, b"x"), PASSPHRASE) == b"x"


def test_damage_anywhere_is_said(tmp_path: Path, passphrase: str | None) -> None:
    whole = sealed(tmp_path / "b", passphrase).read_bytes()
    chosen = random.Random(2)
    places = [*range(0, 400, 7), *(chosen.randrange(len(whole)) for _ in range(100)), len(whole) - 1]
    for place in places:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << chosen.randrange(8)
        (tmp_path / "damaged").write_bytes(damaged)
        with pytest.raises(BackupError):
            opened(tmp_path / "damaged", passphrase)


def test_a_file_that_is_cut_off_is_said_to_be(tmp_path: Path, passphrase: str | None) -> None:
    whole = sealed(tmp_path / "b", passphrase).read_bytes()
    chosen = random.Random(3)
    ends = frames_of(whole)
    for length in [0, 5, 40, *ends[:-1], len(whole) - 1, *(chosen.randrange(len(whole)) for _ in range(50))]:
        (tmp_path / "cut").write_bytes(whole[:length])
        with pytest.raises(BackupError):
            opened(tmp_path / "cut", passphrase)
    (tmp_path / "more").write_bytes(whole + b"\0" * 8)
    with pytest.raises(BackupError):
        opened(tmp_path / "more", passphrase)


def frames_of(whole: bytes) -> list[int]:
    """Where each frame ends."""
    place = whole.index(b"\n", whole.index(b"\n", len(sealing.MAGIC)) + 1) + 1
    ends = [place]
    while place < len(whole):
        place += 4 + int.from_bytes(whole[place : place + 4])
        ends.append(place)
    return ends


def test_frames_in_another_order_or_of_another_file_are_found(tmp_path: Path, passphrase: str | None) -> None:
    whole = sealed(tmp_path / "b", passphrase).read_bytes()
    other = sealed(tmp_path / "c", passphrase, DATA[::-1]).read_bytes()
    ends = frames_of(whole)
    head, manifest, first, second, last = (whole[a:b] for a, b in zip([0, *ends], ends, strict=False))
    foreign = other[frames_of(other)[1] : frames_of(other)[2]]
    mixtures = {
        "swapped": head + manifest + second + first + last,
        "left out": head + manifest + first + last,
        "twice": head + manifest + first + first + second + last,
        "without the last": head + manifest + first + second,
    }
    if passphrase is not None:  # a checksum alone cannot tell: the manifest's does, of the whole
        mixtures["of another file"] = head + manifest + foreign + second + last
    for name, mixture in mixtures.items():
        (tmp_path / "mixed").write_bytes(mixture)
        with pytest.raises(BackupError):
            print(name, len(opened(tmp_path / "mixed", passphrase)))


def test_the_wrong_passphrase_is_told_from_damage(tmp_path: Path) -> None:
    path = sealed(tmp_path / "b", PASSPHRASE)
    with pytest.raises(BackupError, match="the passphrase is wrong"):
        opened(path, PASSPHRASE + "!")
    with pytest.raises(BackupError, match="is encrypted; pass its passphrase"):
        opened(path, None)


def test_nothing_of_the_data_can_be_read_from_an_encrypted_file(tmp_path: Path) -> None:
    path = sealed(tmp_path / "b", PASSPHRASE, b"capercaillie " * 1000)
    assert b"capercaillie" not in path.read_bytes()
    assert b"sha256" not in path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_bytes() != sealed(tmp_path / "c", PASSPHRASE, b"capercaillie " * 1000).read_bytes()


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe"])
def test_a_passphrase_file_without_one_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "p").write_bytes(content)
    with pytest.raises(BackupError):
        sealing.passphrase_of(tmp_path / "p")
    with pytest.raises(BackupError, match=r"nowhere: the passphrase cannot be read: No such file or directory$"):
        sealing.passphrase_of(tmp_path / "nowhere")
    (tmp_path / "p").write_bytes(os.fsencode(PASSPHRASE) + b"\n")
    assert sealing.passphrase_of(tmp_path / "p") == PASSPHRASE
