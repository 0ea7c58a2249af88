"""Animations without their metadata: the blocks that make up the pictures are copied, all others are left out.

Encoding all frames again would cost much time and memory, and make most animations larger and worse.

Imports nothing but the standard library: it runs in the child.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO

MOST_FRAMES = 500
MOST_PIXELS = 200_000_000
"""Of all frames together."""

_PNG_CHUNKS = frozenset(
    (b"IHDR", b"PLTE", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"acTL", b"fcTL", b"fdAT", b"IDAT", b"IEND")
)
_WEBP_CHUNKS = frozenset((b"VP8X", b"ANIM", b"ANMF"))
_WEBP_METADATA_FLAGS = 0x20 | 0x08 | 0x04
"""ICC profile, EXIF, XMP."""
_GIF_LOOPS = (b"NETSCAPE2.0", b"ANIMEXTS1.0")


class _Frames:
    """Counts frames. Each counts as large as the canvas, whatever part of it it paints."""

    def __init__(self, width: int, height: int) -> None:
        self._pixels = width * height
        self._count = 0

    def add(self, width: int = 0, height: int = 0) -> None:
        self._pixels = max(self._pixels, width * height)
        self._count += 1
        if self._count > MOST_FRAMES or self._count * self._pixels > MOST_PIXELS:
            raise ValueError(f"more than {MOST_FRAMES} frames, or {MOST_PIXELS} pixels in all of them")


def _exactly(source: BinaryIO, count: int) -> bytes:
    data = source.read(count)
    if len(data) != count:
        raise ValueError("the file ends in the middle")
    return data


def strip_gif(source: BinaryIO, out: BinaryIO, width: int, height: int) -> None:
    """Keep frames and the number of repetitions; comments, other extensions and what follows the end are left out."""
    frames = _Frames(width, height)
    screen = _exactly(source, 13)
    out.write(screen + _exactly(source, _palette_bytes(screen[10])))
    while (kind := source.read(1)) not in (b"", b";"):
        if kind == b",":
            descriptor = _exactly(source, 9)
            frames.add(int.from_bytes(descriptor[4:6], "little"), int.from_bytes(descriptor[6:8], "little"))
            out.write(kind + descriptor + _exactly(source, _palette_bytes(descriptor[8])) + _exactly(source, 1))
            out.write(_sub_blocks(source))
        elif kind == b"!":
            label = _exactly(source, 1)
            blocks = _sub_blocks(source)
            if label == b"\xf9" or (label == b"\xff" and blocks[1:12] in _GIF_LOOPS):
                out.write(kind + label + blocks)
        else:
            raise ValueError(f"no block of a GIF begins with {kind!r}")
    out.write(b";")


def _palette_bytes(flags: int) -> int:
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0


def _sub_blocks(source: BinaryIO) -> bytes:
    found = bytearray()
    while True:
        length = _exactly(source, 1)
        found += length
        if length == b"\0":
            return bytes(found)
        found += _exactly(source, length[0])


def strip_png(source: BinaryIO, out: BinaryIO, width: int, height: int) -> None:
    """Keep the chunks that make up frames and colours."""
    frames = _Frames(width, height)
    out.write(_exactly(source, 8))
    kind = b""
    while kind != b"IEND":
        head = _exactly(source, 8)
        kind = head[4:]
        chunk = _exactly(source, int.from_bytes(head[:4], "big") + 4)
        if kind == b"fcTL":
            frames.add()
        if kind in _PNG_CHUNKS:
            out.write(head + chunk)


def strip_webp(source: BinaryIO, out: BinaryIO, width: int, height: int) -> None:
    """Keep the frames; the header must not announce what is gone."""
    frames = _Frames(width, height)
    riff = _exactly(source, 12)
    left = int.from_bytes(riff[4:8], "little") - 4
    kept = bytearray(b"WEBP")
    while left > 0:
        head = _exactly(source, 8)
        length = int.from_bytes(head[4:], "little")
        chunk = bytearray(_exactly(source, length + length % 2))
        left -= len(head) + len(chunk)
        if head[:4] == b"VP8X":
            chunk[0] &= ~_WEBP_METADATA_FLAGS
        if head[:4] == b"ANMF":
            frames.add()
        if head[:4] in _WEBP_CHUNKS:
            kept += head + chunk
    out.write(b"RIFF" + len(kept).to_bytes(4, "little") + kept)


STRIPPERS: dict[str, Callable[[BinaryIO, BinaryIO, int, int], None]] = {
    "GIF": strip_gif,
    "PNG": strip_png,
    "WEBP": strip_webp,
}
"""By Pillow's name of the format. Each raises `ValueError` for a file that is broken or has too many frames."""
