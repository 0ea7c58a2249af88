"""What a file is: proven by its content, or only labelled; and the category that it counts to.

`proven_type` decides what may be shown in a page, so it is strict and our own. `label` says what a file probably is,
for display alone: such a file is only ever downloaded.
"""

from __future__ import annotations

import mimetypes
from pathlib import Path

HEAD_BYTES = 4096
"""How much of the beginning of a file `proven_type` wants."""
PICTURES = frozenset(("image/jpeg", "image/png", "image/gif", "image/webp", "image/avif"))
"""The types that may be shown as pictures, once `ImageWorkers.prepare` has decoded the file."""
UNKNOWN = "application/octet-stream"

_VIDEO_BRANDS = frozenset(
    (
        b"isom",
        b"iso2",
        b"iso3",
        b"iso4",
        b"iso5",
        b"iso6",
        b"iso8",
        b"iso9",
        b"mp41",
        b"mp42",
        b"avc1",
        b"dash",
        b"M4V ",
    )
)
_AUDIO_BRANDS = frozenset((b"M4A ", b"M4B "))
_AVIF_BRANDS = frozenset((b"avif", b"avis"))
_OGG_CODECS = (
    (b"OpusHead", "audio/ogg"),
    (b"\x01vorbis", "audio/ogg"),
    (b"\x7fFLAC", "audio/ogg"),
    (b"Speex   ", "audio/ogg"),
    (b"\x80theora", "video/ogg"),
)
_MP3_KBITS = {
    3: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_MP3_HERTZ = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
"""By the number that stands for the version of MPEG: 3 is 1, 2 is 2, 0 is 2.5."""

_DOCUMENTS = frozenset(
    (
        "application/epub+zip", "application/json", "application/msword", "application/pdf", "application/postscript",
        "application/rtf", "application/xml", "image/svg+xml",
    )
)  # fmt: skip
_OFFICE = (
    "application/vnd.ms-", "application/vnd.oasis.opendocument.", "application/vnd.openxmlformats-officedocument.",
)  # fmt: skip


def proven_type(head: bytes) -> str | None:
    """The media type of a file that begins with `head`, if it may be shown or played in a page; None otherwise.

    `head` has `HEAD_BYTES`, or less if the file has no more. A type of `PICTURES` is proven only once the file has also
    been decoded.
    """
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR"):
        return "image/png"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if head.startswith(b"RIFF"):
        return _of_riff(head)
    if head[4:8] == b"ftyp":
        return _of_iso_media(head)
    if head.startswith(b"\x1aE\xdf\xa3"):
        return "video/webm" if _is_webm(head) else None
    if head.startswith(b"OggS\0\x02"):
        return _of_ogg(head)
    if head.startswith((b"fLaC\0\0\0\x22", b"fLaC\x80\0\0\x22")):
        return "audio/flac"
    return _of_audio_frames(head)


def _of_riff(head: bytes) -> str | None:
    if head[8:12] == b"WEBP" and head[12:16] in (b"VP8 ", b"VP8L", b"VP8X"):
        return "image/webp"
    return "audio/wav" if head[8:16] == b"WAVEfmt " else None


def _of_iso_media(head: bytes) -> str | None:
    """By the major brand, and for AVIF also by the compatible ones, as Pillow does."""
    size = int.from_bytes(head[:4], "big")
    if not 16 <= size <= 1024 or size % 4:
        return None
    box, major = head[:size], head[8:12]
    compatible = {box[at : at + 4] for at in range(16, len(box), 4)}
    if major in _AVIF_BRANDS or (major in (b"mif1", b"msf1") and compatible & _AVIF_BRANDS):
        return "image/avif"
    if major in _AUDIO_BRANDS:
        return "audio/mp4"
    return "video/mp4" if major in _VIDEO_BRANDS else None


def _is_webm(head: bytes) -> bool:
    """Whether the EBML header says that the document's type is WebM: Matroska has the same signature."""
    found = _ebml_number(head, 4)
    if found is None:
        return False
    length, at = found
    end = min(at + length, len(head))
    while at + 2 <= end:
        name = head[at : at + (2 if head[at] & 0xC0 == 0x40 else 1)]
        found = _ebml_number(head, at + len(name))
        if found is None:
            return False
        size, at = found
        if name == b"\x42\x82":
            return head[at : at + size].rstrip(b"\0") == b"webm"
        at += size
    return False


def _ebml_number(head: bytes, at: int) -> tuple[int, int] | None:
    """A number of one to eight bytes, the first of which says how many, and where it ends."""
    if at >= len(head) or head[at] == 0:
        return None
    size = 9 - head[at].bit_length()
    return int.from_bytes(head[at : at + size], "big") & ((1 << 7 * size) - 1), at + size


def _of_ogg(head: bytes) -> str | None:
    """By the codec in the first page, which begins the stream."""
    if len(head) < 28:
        return None
    packet = head[27 + head[26] :]
    return next((type for magic, type in _OGG_CODECS if packet.startswith(magic)), None)


def _of_audio_frames(head: bytes) -> str | None:
    """MP3 and AAC have no signature, only frames that begin alike: there must be two, or the file ends with one."""
    at = _id3_bytes(head)
    if at >= len(head):
        return "audio/mpeg" if at else None  # a long tag, as with a cover picture in it
    for type, length_of in (("audio/mpeg", _mp3_frame), ("audio/aac", _aac_frame)):
        if length := length_of(head[at : at + 7]):
            following = at + length
            if following == len(head) < HEAD_BYTES or length_of(head[following : following + 7]):
                return type
    return None


def _id3_bytes(head: bytes) -> int:
    """The length of the tag that may stand before the frames."""
    size = head[6:10]
    if not head.startswith(b"ID3") or len(size) < 4 or head[3] not in (2, 3, 4) or max(size) > 0x7F:
        return 0
    return 10 + (size[0] << 21 | size[1] << 14 | size[2] << 7 | size[3])


def _mp3_frame(header: bytes) -> int:
    """The length of the frame of layer 3 that begins so; 0 if none does."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE6 != 0xE2:
        return 0
    version, rate, hertz = header[1] >> 3 & 3, header[2] >> 4, header[2] >> 2 & 3
    if version == 1 or rate in (0, 15) or hertz == 3:
        return 0
    kbits = _MP3_KBITS[3 if version == 3 else 2][rate]
    return (144 if version == 3 else 72) * kbits * 1000 // _MP3_HERTZ[version][hertz] + (header[2] >> 1 & 1)


def _aac_frame(header: bytes) -> int:
    """The length of the ADTS frame that begins so; 0 if none does."""
    if len(header) < 7 or header[0] != 0xFF or header[1] & 0xF6 != 0xF0 or header[2] >> 2 & 15 > 12:
        return 0
    length = (header[3] & 3) << 11 | header[4] << 3 | header[5] >> 5
    return length if length > 7 else 0


def label(path: Path, name: str) -> str:
    """The media type of the file `path` that a user calls `name`, as well as it can be guessed. Reads the file."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    proven = proven_type(head)
    if proven is not None:
        return proven
    if not head:
        return UNKNOWN
    import puremagic  # takes 2 MiB, and many nodes never need it

    try:
        with path.open("rb") as file:
            found = puremagic.from_stream(file, mime=True, filename=name)  # pyright: ignore[reportUnknownMemberType]
    except puremagic.PureError:
        found = ""
    found = found or mimetypes.guess_type(name, strict=False)[0] or ""
    if found in PICTURES or not _is_media_type(found):
        return "text/plain" if _is_text(head) else UNKNOWN
    return found


def _is_media_type(text: str) -> bool:
    return (
        text.isascii() and text.isprintable() and text.count("/") == 1 and not text.startswith("/") and " " not in text
    )


def _is_text(head: bytes) -> bool:
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 3:  # not a character that the head cuts in two
            return False
        text = head[: error.start].decode("utf-8")
    return "\0" not in text


def category(type: str) -> str:
    """The category of a media type: image, document, video, audio or other."""
    if type in _DOCUMENTS or type.startswith(("text/", *_OFFICE)):
        return "document"
    kind = type.partition("/")[0]
    return kind if kind in ("image", "video", "audio") else "other"
