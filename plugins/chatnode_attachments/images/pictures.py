"""Decoding one picture, with Pillow: thumbnails, a tiny preview, and a copy without metadata.

Runs in the child, confined. What is refused here is stored as a file and never shown as a picture.
"""

# Pillow's own annotations leave these open.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false

from __future__ import annotations

import os
import warnings
from base64 import b64encode
from collections.abc import Sequence
from io import BytesIO
from typing import Any, BinaryIO

from PIL import AvifImagePlugin, Image, ImageCms, JpegImagePlugin

from chatnode_attachments.images.stripping import STRIPPERS

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "AVIF")
"""Pillow chooses the decoder by the first bytes, so this list decides which ones can be reached."""
TYPES = {
    "JPEG": "image/jpeg",
    "MPO": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "GIF": "image/gif",
    "AVIF": "image/avif",
}
THUMBNAILS = (("thumb320", 320), ("thumb1280", 1280))
"""Each with the maximum of its width and height."""
MOST_SLENDER = 20
"""The maximum of width by height, and height by width, for thumbnails."""
PREVIEW_BYTES = 300

_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDEWAYS = (5, 6, 7, 8)


def load_codecs() -> None:
    """Prepare a small picture of each format: Pillow imports much when it first needs it, and a confined job cannot."""
    Image.init()
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # nor can it start threads
    exif = Image.Exif()
    exif[_ORIENTATION] = 6
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    for name in FORMATS:
        if name in Image.SAVE:
            file = BytesIO()
            Image.new("RGB", (8, 8)).save(file, name, exif=exif, icc_profile=profile)
            prepare(file, [BytesIO(), BytesIO(), BytesIO()], clean=True, most_pixels=64)


def run(job: dict[str, Any], source: BinaryIO, outputs: list[int]) -> dict[str, Any]:
    """Carry out a job. Raises anything for a picture that cannot be decoded."""
    files = [os.fdopen(output, "w+b", closefd=False) for output in outputs]
    if "side" in job:
        answer = make_square(source, files[0], side=job["side"], most_pixels=job["pixels"])
    else:
        answer = prepare(source, files, clean=job["clean"], most_pixels=job["pixels"])
    for file in files:
        file.flush()
    return answer


def prepare(source: BinaryIO, outputs: Sequence[BinaryIO], *, clean: bool, most_pixels: int) -> dict[str, Any]:
    """`outputs` are for the copy without metadata and for `THUMBNAILS`."""
    cleaned, *thumbnails = outputs
    image: Image.Image = _open(source, most_pixels)
    name, animated = str(image.format), _is_animated(image)
    orientation = 1 if clean and animated else _orientation_of(image)
    width, height = image.size
    options, largest = _options_of(image, source), THUMBNAILS[-1][1]
    if not clean:
        image.draft(None, (largest, largest))
    image.load()
    if clean and animated:
        _strip(name, source, cleaned, width, height)
    image = _turned(_in_srgb(image), orientation)
    if clean and not animated:
        image = _encode(name, image, options, cleaned)
    if orientation in _SIDEWAYS:
        width, height = height, width
    answer = {"type": TYPES[name], "width": width, "height": height, "cleaned": clean}
    if max(width, height) > MOST_SLENDER * min(width, height):
        return answer | {"derived": [], "placeholder": None}
    image = _resized(_reducible(image), _fitting(width, height, largest))
    return answer | {"derived": _write_thumbnails(image, thumbnails), "placeholder": _preview(image)}


def make_square(source: BinaryIO, out: BinaryIO, *, side: int, most_pixels: int) -> dict[str, Any]:
    """The middle of the picture, in up to `side` times `side` pixels."""
    image: Image.Image = _open(source, most_pixels)
    orientation = _orientation_of(image)
    image.draft(None, (side, side))
    image.load()
    image = _turned(_in_srgb(image), orientation)
    whole = min(image.size)
    left, top = (image.width - whole) // 2, (image.height - whole) // 2
    image = _reducible(image.crop((left, top, left + whole, top + whole)))
    side = min(side, whole)
    _resized(image, (side, side)).save(out, "WEBP", quality=85)
    return {"side": side}


# ---- reading


def _open(source: BinaryIO, most_pixels: int) -> Image.Image:
    """Reads the header only."""
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    Image.MAX_IMAGE_PIXELS = most_pixels
    image = Image.open(source, formats=[name for name in FORMATS if name in Image.OPEN])
    if image.width * image.height > most_pixels:
        raise ValueError(f"more than {most_pixels} pixels")
    return image


def _is_animated(image: Image.Image) -> bool:
    """Any GIF counts as one: it can be copied without loss."""
    return image.format == "GIF" or (image.format != "MPO" and bool(getattr(image, "is_animated", False)))


def _orientation_of(image: Image.Image) -> int:
    """EXIF is read for this alone; whatever is wrong with it is no reason to refuse the picture."""
    try:
        found = int(image.getexif().get(_ORIENTATION, 1))
    except Exception:
        return 1
    return found if found in _TURNS else 1


def _turned(image: Image.Image, orientation: int) -> Image.Image:
    turn = _TURNS.get(orientation)
    return image if turn is None else image.transpose(turn)


def _in_srgb(image: Image.Image) -> Image.Image:
    """A picture without a profile is taken for sRGB, so those with another are converted. A broken one is ignored."""
    data = image.info.get("icc_profile")
    if not data:
        return image
    try:
        profile = ImageCms.ImageCmsProfile(BytesIO(data))
        if "srgb" in ImageCms.getProfileDescription(profile).lower():
            return image
        space = _space_of(profile)
        if space == "RGB" and image.mode == "P":
            image = _plain(image)
        expected = {"RGB": "RGB", "RGBA": "RGB", "L": "GRAY", "CMYK": "CMYK"}.get(image.mode)
        if expected != space:
            return image
        mode = "RGBA" if image.mode == "RGBA" else "RGB"
        converted = ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"), outputMode=mode)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return image
    return image if converted is None else converted


def _space_of(profile: ImageCms.ImageCmsProfile) -> str:
    return profile.profile.xcolor_space.strip()  # pyright: ignore


def _plain(image: Image.Image) -> Image.Image:
    """In RGB or RGBA, 8 bits each."""
    if image.mode.startswith("I;16"):
        image = image.point(lambda value: value * (1 / 256))
        return image.convert("L").convert("RGB")
    mode = "RGBA" if image.has_transparency_data else "RGB"
    return image if image.mode == mode else image.convert(mode)


# ---- writing


def _strip(name: str, source: BinaryIO, out: BinaryIO, width: int, height: int) -> None:
    if name not in STRIPPERS:
        raise ValueError(f"an animated {name}")
    source.seek(0)
    STRIPPERS[name](source, out, width, height)


def _options_of(image: Image.Image, source: BinaryIO) -> dict[str, Any]:
    """How to encode the picture again, as close to the original as its format allows."""
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        if image.mode == "CMYK":  # becomes RGB, for which its tables are not made
            return {"quality": 90}
        sampling = JpegImagePlugin.get_sampling(image)
        progressive = bool(image.info.get("progressive"))
        return {"qtables": image.quantization, "subsampling": sampling, "progressive": progressive}
    if image.format == "WEBP":
        source.seek(0)
        if b"VP8L" in source.read(64):
            return {"lossless": True, "quality": 50, "method": 2}
        return {"quality": 90}
    return {"quality": 80, "speed": 9} if image.format == "AVIF" else {}


def _encode(name: str, image: Image.Image, options: dict[str, Any], out: BinaryIO) -> Image.Image:
    """Write the picture without metadata: Pillow would take some of it from `info`. Returns it as it was written."""
    image.info = {key: value for key, value in image.info.items() if key == "transparency"}
    if TYPES[name] == "image/jpeg":
        if image.mode == "CMYK":
            image = image.convert("RGB")
        image.save(out, "JPEG", **options)
    else:
        image.save(out, name, **options)
    return image


def _write_thumbnails(image: Image.Image, outputs: Sequence[BinaryIO]) -> list[dict[str, Any]]:
    """Never larger than the picture; a kind that would be as large as the one before is left out."""
    written: list[dict[str, Any]] = []
    for (kind, most), out in zip(THUMBNAILS, outputs, strict=True):
        size = _fitting(*image.size, most)
        if not written or size != (written[-1]["width"], written[-1]["height"]):
            _resized(image, size).save(out, "WEBP", quality=80)
            written.append({"kind": kind, "width": size[0], "height": size[1]})
    return written


def _fitting(width: int, height: int, most: int) -> tuple[int, int]:
    scale = min(1, most / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _reducible(image: Image.Image) -> Image.Image:
    """In a mode whose values can be mixed. Those that can stay as they are until they are smaller: it saves memory."""
    keeps = image.mode in ("L", "RGB", "RGBA", "CMYK") and "transparency" not in image.info
    return image if keeps else _plain(image)


def _resized(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """In RGB or RGBA, and without metadata."""
    if image.size != size:
        image = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2)
    image = _plain(image)
    image.info = {}
    return image


def _preview(image: Image.Image) -> str | None:
    """A `data:` URI to show while the thumbnail loads."""
    small = _resized(image, _fitting(*image.size, 16))
    for quality in (60, 30, 0):
        out = BytesIO()
        small.save(out, "WEBP", quality=quality, alpha_quality=quality, method=6)
        uri = "data:image/webp;base64," + b64encode(out.getvalue()).decode()
        if len(uri) <= PREVIEW_BYTES:
            return uri
    return None
