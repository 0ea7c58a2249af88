"""What a file is: proven by its content for what a page may show, and labelled for display."""

from __future__ import annotations

import io
import wave
import zipfile
from pathlib import Path

import pytest
from chatnode_attachments.types import HEAD_BYTES, category, label, proven_type
from hypothesis import given
from hypothesis import strategies as st

from tests.plugins.attachments import pictures
from tests.plugins.attachments.pictures import drawing, encoded


def ftyp(major: bytes, *compatible: bytes) -> bytes:
    brands = b"".join(compatible)
    return (16 + len(brands)).to_bytes(4, "big") + b"ftyp" + major + b"\0\0\0\0" + brands + b"\0\0\0\x08moov"


def ebml(document: bytes) -> bytes:
    fields = b"\x42\x86\x81\x01" + b"\x42\xf7\x81\x01" + b"\x42\x82" + bytes([0x80 | len(document)]) + document
    return b"\x1aE\xdf\xa3" + (1 << 56 | len(fields)).to_bytes(8, "big") + fields + b"\x18\x53\x80\x67"


def ogg(packet: bytes) -> bytes:
    return b"OggS\0\x02" + bytes(20) + b"\x01" + bytes([len(packet)]) + packet


def wav() -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(100))
    return file.getvalue()


MP3_FRAME = b"\xff\xfb\x90\x00" + bytes(413)
"""MPEG 1, layer 3, 128 kbit/s at 44,100 Hz: 417 bytes."""
MP3_FRAME_OF_MPEG_2 = b"\xff\xf3\x48\xc4" + bytes(140)
"""MPEG 2, layer 3, 32 kbit/s at 16,000 Hz: 144 bytes."""
AAC_FRAME = b"\xff\xf1\x50\x80\x02\x1f\xfc" + bytes(9)
"""ADTS of 16 bytes."""
ID3 = b"ID3\x04\0\0\0\0\x02\x01" + bytes(257)

PROVEN = {
    "image/jpeg": [encoded(drawing(), "JPEG"), encoded(drawing(), "MPO")],
    "image/png": [encoded(drawing(), "PNG")],
    "image/gif": [encoded(drawing(), "GIF"), b"GIF87a" + bytes(20)],
    "image/webp": [encoded(drawing(), "WEBP"), encoded(drawing(), "WEBP", lossless=True), pictures.animation("WEBP")],
    "image/avif": [encoded(drawing(), "AVIF"), ftyp(b"mif1", b"avif", b"miaf")],
    "video/mp4": [ftyp(b"isom", b"iso2", b"mp41"), ftyp(b"mp42"), ftyp(b"M4V ")],
    "audio/mp4": [ftyp(b"M4A ", b"mp42")],
    "video/webm": [ebml(b"webm"), ebml(b"webm\0\0")],
    "audio/ogg": [ogg(b"OpusHead\x01"), ogg(b"\x01vorbis\0"), ogg(b"\x7fFLAC\x01")],
    "video/ogg": [ogg(b"\x80theora\x03")],
    "audio/mpeg": [MP3_FRAME * 2, MP3_FRAME_OF_MPEG_2 * 3, ID3 + MP3_FRAME * 2, MP3_FRAME],
    "audio/aac": [AAC_FRAME * 2, AAC_FRAME],
    "audio/flac": [b"fLaC\x00\0\0\x22" + bytes(34), b"fLaC\x80\0\0\x22" + bytes(34)],
    "audio/wav": [wav()],
}  # fmt: skip


def test_what_a_page_may_show_is_proven_by_its_content() -> None:
    for type, files in PROVEN.items():
        for data in files:
            assert proven_type(data[:HEAD_BYTES]) == type


def test_a_long_tag_before_the_sound_does_not_hide_it() -> None:
    long = b"ID3\x03\0\0\0\x01\0\0" + bytes(HEAD_BYTES)

    assert proven_type(long[:HEAD_BYTES]) == "audio/mpeg"
    assert proven_type((ID3 + b"<script>" * 100)[:HEAD_BYTES]) is None


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\xff", b"\xff\xd8", b"GIF", b"GIF88a", b"RIFF", b"RIFF\0\0\0\0AVI LIST", b"RIFF\0\0\0\0WEBPVP9 ",
        b"fLaC", b"fLaC\x01\0\0\x22" + bytes(34), ebml(b"matroska"), ebml(b"webmatroska"), b"\x1aE\xdf\xa3",
        b"\x1aE\xdf\xa3\x80",
        ogg(b"unknown"), b"OggS", ftyp(b"heic", b"mif1", b"heic"), ftyp(b"mif1", b"heic"), ftyp(b"qt  "),
        b"\0\0\0\x02ftypisom", b"\xff\xff\xff\xffftypisom" + bytes(100), MP3_FRAME + b"<script>", MP3_FRAME[:200],
        b"\xff\xfb\x00\x00" * 100, b"\xff\xff\xff\xff" * 100, AAC_FRAME + b"<html>",
        b"\xff\xf1\x50\x80\x00\x00\x00" * 9,
        b"%PDF-1.7", b"<svg>", b"<!doctype html>", b"BM" + bytes(100), b"II*\0" + bytes(100), b"PK\x03\x04", b"MZ",
    ],
)  # fmt: skip
def test_all_else_is_not_proven(data: bytes) -> None:
    assert proven_type(data) is None


@given(
    st.binary(max_size=200), st.sampled_from([data for files in PROVEN.values() for data in files]), st.integers(0, 60)
)
def test_no_bytes_are_too_much_for_it(noise: bytes, data: bytes, kept: int) -> None:
    found = proven_type(data[:kept] + noise)
    assert found is None or found in PROVEN


def document(name: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr(name, "<x/>")
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "data", "type", "of_category"),
    [
        ("a.pdf", b"%PDF-1.7\n%%EOF", "application/pdf", "document"),
        ("a.txt", "naïve text\n".encode(), "text/plain", "document"),
        ("no extension", "naïve text\n".encode(), "text/plain", "document"),
        ("a.zip", document("x"), "application/zip", "other"),
        ("a.docx", document("word/document.xml"),
         "application/vnd.openxmlformats-officedocument.wordprocessingml.document", "document"),
        ("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml", "document"),
        ("a.html", b"<html><body>hello</body></html>", "text/html", "document"),
        ("a.csv", b"a,b\n1,2\n", "text/csv", "document"),
        ("a.tiff", encoded(drawing(), "TIFF"), "image/tiff", "image"),
        ("wrong.txt", encoded(drawing(), "PNG"), "image/png", "image"),
        ("wrong.png", b"<html>", "text/html", "document"),
        ("empty.png", b"", "application/octet-stream", "other"),
        ("noise.bin", bytes(range(128, 256)), "application/octet-stream", "other"),
        ("noise", bytes(range(128, 256)), "application/octet-stream", "other"),
        ("song.mp3", MP3_FRAME * 3, "audio/mpeg", "audio"),
        ("film.mp4", ftyp(b"isom"), "video/mp4", "video"),
    ],
)  # fmt: skip
def test_a_label_says_what_it_is(tmp_path: Path, name: str, data: bytes, type: str, of_category: str) -> None:
    (tmp_path / "upload").write_bytes(data)

    assert label(tmp_path / "upload", name) == type
    assert category(type) == of_category


def test_a_name_does_not_make_a_picture(tmp_path: Path) -> None:
    for name in ("a.png", "a.jpg", "a.gif", "a.webp", "a.avif"):
        for data in (bytes(range(128, 256)), b"just text", b"\x89PNG\r\n\x1a\n", b"\0\0\0\x18ftypheic"):
            (tmp_path / "upload").write_bytes(data)
            assert category(label(tmp_path / "upload", name)) != "image" or b"heic" in data


def test_a_text_may_be_cut_in_a_character(tmp_path: Path) -> None:
    (tmp_path / "upload").write_bytes(b"x" * (HEAD_BYTES - 1) + "€".encode() * 10)

    assert label(tmp_path / "upload", "notes") == "text/plain"
