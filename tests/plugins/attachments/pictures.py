"""Pictures for the tests, made with Pillow: good ones, odd ones and hostile ones."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Iterator
from io import BytesIO
from typing import Any

from PIL import Image, ImageCms, PngImagePlugin

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "AVIF")
CANARY = "52.379189,4.899431 CANARY"
"""What metadata says, and what must be nowhere afterwards."""


def drawing(width: int = 64, height: int = 48, mode: str = "RGB") -> Image.Image:
    """Red on the left and blue on the right, so that turns are seen; with noise, so that it stays large."""
    image = Image.effect_noise((width, height), 40).convert("RGB")
    image.paste((200, 30, 30), (0, 0, width // 2, height))
    image.paste((30, 30, 200), (width // 2, 0, width, height // 2))
    return image.convert(mode)


def encoded(image: Image.Image, format: str, **options: Any) -> bytes:
    file = BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def exif(orientation: int = 1) -> bytes:
    found = Image.Exif()
    found[0x0112] = orientation
    found[0x010F] = CANARY
    found.get_ifd(0x8825)[1] = CANARY  # a place
    return found.tobytes()


def with_metadata(format: str, orientation: int = 1, **options: Any) -> bytes:
    """A picture with as much metadata as its format takes."""
    if format == "GIF":
        return encoded(drawing(), format, comment=CANARY.encode(), **options)
    if format == "PNG":
        texts = PngImagePlugin.PngInfo()
        texts.add_text("Comment", CANARY)
        texts.add_itxt("XML:com.adobe.xmp", CANARY)
        options["pnginfo"] = texts
    if format == "JPEG":
        options |= {"comment": CANARY, "xmp": CANARY.encode()}
    if format in ("WEBP", "AVIF"):
        options["xmp"] = CANARY.encode()
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes() + CANARY.encode()
    return encoded(drawing(), format, exif=exif(orientation), icc_profile=profile, **options)


def animation(format: str, frames: int = 3, size: tuple[int, int] = (16, 12)) -> bytes:
    pictures = [Image.new("RGB", size, (at * 5 % 256, at // 51 % 256, 90)) for at in range(frames)]
    more = {"comment": CANARY.encode()} if format == "GIF" else {"exif": exif(), "xmp": CANARY.encode()}
    return encoded(pictures[0], format, save_all=True, append_images=pictures[1:], duration=50, loop=0, **more)


def long_gif(frames: int) -> bytes:
    """Of so many equal frames; Pillow would take long to write them."""
    still = encoded(Image.new("P", (4, 4)), "GIF")
    start = 13 + 3 * 2 ** ((still[10] & 7) + 1)
    return still[:start] + still[start:-1] * frames + b";"


def png(width: int, height: int, *chunks: tuple[bytes, bytes], depth: int = 8, colours: int = 2) -> bytes:
    """By hand: what Pillow does not write."""
    header = (b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colours, 0, 0, 0))
    written = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in (header, *chunks, (b"IEND", b""))
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(written)


def bomb(width: int, height: int) -> bytes:
    """The beginning of a PNG of a few kilobytes for its many pixels."""
    packer = zlib.compressobj(9)
    data = b"".join(packer.compress(b"\0" + bytes(3 * width)) for _ in range(min(height, 3))) + packer.flush()
    return png(width, height, (b"IDAT", data))


def larger_jpeg(width: int, height: int) -> bytes:
    """A progressive JPEG that says it is larger than it is: the decoder takes memory for all of it at once."""
    data = bytearray(encoded(drawing(), "JPEG", progressive=True))
    at = data.index(b"\xff\xc2") + 5
    data[at : at + 4] = struct.pack(">HH", height, width)
    return bytes(data)


def pictures_of_odd_kinds() -> Iterator[tuple[str, bytes]]:
    """All of them are good, and must be shown."""
    yield "CMYK", encoded(drawing(mode="CMYK"), "JPEG")
    yield "grey", encoded(drawing(mode="L"), "JPEG")
    yield "progressive", encoded(drawing(), "JPEG", progressive=True)
    yield "no subsampling", encoded(drawing(), "JPEG", subsampling=0)
    yield "several pictures", encoded(drawing(), "MPO", save_all=True, append_images=[drawing()])
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA"):
        yield f"PNG {mode}", encoded(drawing().convert(mode), "PNG")
    yield "PNG 16 bit", encoded(Image.new("I;16", (64, 48), 40_000), "PNG")
    yield "PNG 48 bit", png(4, 4, (b"IDAT", zlib.compress((b"\0" + b"\x80\x01" * 12) * 4)), depth=16)
    yield "palette with transparency", encoded(drawing(mode="P"), "PNG", transparency=bytes(range(64)))
    yield "one transparent colour", encoded(drawing(), "PNG", transparency=(200, 30, 30))
    yield "transparent grey", encoded(drawing(mode="L"), "PNG", transparency=7)
    yield "interlaced GIF", encoded(drawing(mode="P"), "GIF", interlace=1)
    yield "transparent GIF", encoded(drawing(mode="P"), "GIF", transparency=1)
    yield "lossless", encoded(drawing(mode="RGBA"), "WEBP", lossless=True)
    yield "transparent WebP", encoded(drawing(mode="RGBA"), "WEBP")
    yield "transparent AVIF", encoded(drawing(mode="RGBA"), "AVIF")
    yield "one pixel", encoded(Image.new("RGB", (1, 1)), "PNG")
    yield "a line", encoded(Image.new("RGB", (3000, 1)), "PNG")
    yield "EXIF of nonsense", encoded(drawing(), "JPEG", exif=b"Exif\0\0" + random.Random(1).randbytes(60_000))
    yield "large EXIF", encoded(drawing(), "JPEG", exif=exif()[:40] + bytes(60_000))
    yield "orientation of 77", encoded(drawing(), "JPEG", exif=exif(77))
    yield "profile of nonsense", encoded(drawing(), "JPEG", icc_profile=random.Random(2).randbytes(500_000))
    yield "GIF and script", encoded(drawing(mode="P"), "GIF") + b"/*';alert(1);//"
    yield "PNG and archive", encoded(drawing(), "PNG") + b"PK\x05\x06" + bytes(18)
    yield "long GIF", long_gif(499)
    for name in ("PNG", "GIF", "WEBP"):
        yield f"animated {name}", animation(name)


def no_pictures() -> Iterator[tuple[str, bytes]]:
    """None of them may be shown, whatever they look like."""
    yield "nothing", b""
    yield "zeros", bytes(1000)
    yield "SVG", b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
    yield "HTML", b"<!doctype html><script>alert(1)</script>"
    yield "HTML behind a signature", b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR<script>alert(1)</script>"
    yield "script behind a signature", b"GIF89a/*" + bytes(20) + b"*/=1;alert(1)"
    yield "TIFF", encoded(drawing(), "TIFF")
    yield "BMP", encoded(drawing(), "BMP")
    yield "PPM", encoded(drawing(), "PPM")
    yield "ICO", encoded(drawing(), "ICO")
    yield "JPEG 2000", encoded(drawing(), "JPEG2000")
    yield "EPS", encoded(drawing(), "EPS")
    yield "PDF", encoded(drawing(), "PDF")
    yield "HEIC", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100)
    yield "AVIF without pictures", b"\0\0\0\x18ftypavif\0\0\0\0mif1avif" + bytes(100)
    yield "bomb of 900 megapixels", bomb(30_000, 30_000)
    yield "bomb of 4 terapixels", bomb(2_000_000, 2_000_000)
    yield "GIF of 4 gigapixels", b"GIF89a" + b"\xff" * 4 + b"\0\0\0" + long_gif(1)[13:]
    yield "JPEG of 4 gigapixels", larger_jpeg(65_500, 65_500)
    yield "no pixels", png(0, 0, (b"IDAT", zlib.compress(b"")))
    yield "animated AVIF", animation("AVIF")
    yield "10,000 frames", long_gif(10_000)
    yield "text that grows", png(4, 4, (b"zTXt", b"Comment\0\0" + zlib.compress(bytes(80_000_000))))
    yield "profile that grows", png(4, 4, (b"iCCP", b"x\0\0" + zlib.compress(bytes(80_000_000))))


def cut_pictures() -> Iterator[tuple[str, bytes]]:
    """Complete at no point."""
    for name in FORMATS:
        data = encoded(drawing(), name)
        for tenths in range(1, 10):
            yield f"{name} of {tenths}/10", data[: len(data) * tenths // 10]


def damaged_pictures() -> Iterator[tuple[str, bytes]]:
    """What is wrong with them may not matter; each must be judged one way or the other."""
    for name in FORMATS:
        for seed in range(20):
            chance = random.Random(f"{name} {seed}")
            data = bytearray(with_metadata(name))
            for _ in range(1 + seed):
                data[chance.randrange(8, len(data))] = chance.randrange(256)
            yield f"{name} {seed}", bytes(data)
