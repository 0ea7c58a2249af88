"""Pictures: what is made of them, and that nothing of their metadata stays."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from io import BytesIO
from pathlib import Path

import pytest
from chatnode_attachments.images.prepared import Prepared
from chatnode_attachments.images.workers import ImageWorkers
from PIL import Image, ImageCms

from tests.plugins.attachments import pictures
from tests.plugins.attachments.pictures import CANARY, drawing, encoded


@pytest.fixture
async def images(tmp_path: Path) -> AsyncIterator[ImageWorkers]:
    (tmp_path / "work").mkdir()
    async with ImageWorkers(tmp_path / "work", megapixels=50) as workers:
        yield workers


async def prepare(images: ImageWorkers, tmp_path: Path, data: bytes, *, clean: bool = True) -> Prepared | None:
    (tmp_path / "upload").write_bytes(data)
    return await images.prepare(tmp_path / "upload", clean=clean)


async def prepared(images: ImageWorkers, tmp_path: Path, data: bytes, *, clean: bool = True) -> Prepared:
    found = await prepare(images, tmp_path, data, clean=clean)
    assert found is not None
    return found


def opened(path: Path) -> Image.Image:
    return Image.open(BytesIO(path.read_bytes()))


def cleaned(found: Prepared) -> Image.Image:
    assert found.cleaned is not None
    return opened(found.cleaned)


def left_of(image: Image.Image) -> tuple[int, ...]:
    """The colour in the middle of the left side."""
    found = image.convert("RGB").getpixel((image.width // 8, image.height // 2))
    assert isinstance(found, tuple)
    return tuple(int(value) for value in found)


# ---- what is made


async def test_a_picture_gets_thumbnails_and_a_preview(images: ImageWorkers, tmp_path: Path) -> None:
    found = await prepared(images, tmp_path, encoded(drawing(2000, 1500), "JPEG"))

    assert (found.type, found.width, found.height) == ("image/jpeg", 2000, 1500)
    assert [(each.kind, each.width, each.height) for each in found.derived] == [
        ("thumb320", 320, 240),
        ("thumb1280", 1280, 960),
    ]
    for each in found.derived:
        thumbnail = opened(each.path)
        assert (thumbnail.format, thumbnail.size, each.type) == ("WEBP", (each.width, each.height), "image/webp")
        assert left_of(thumbnail)[0] > 150
    assert found.placeholder is not None
    assert found.placeholder.startswith("data:image/webp;base64,")
    assert len(found.placeholder) <= 300


async def test_thumbnails_are_never_larger_than_the_picture(images: ImageWorkers, tmp_path: Path) -> None:
    small = await prepared(images, tmp_path, encoded(drawing(100, 50), "PNG"))
    middle = await prepared(images, tmp_path, encoded(drawing(500, 400), "PNG"))

    assert [(each.kind, each.width) for each in small.derived] == [("thumb320", 100)]
    assert [(each.kind, each.width) for each in middle.derived] == [("thumb320", 320), ("thumb1280", 500)]


async def test_a_slender_picture_gets_none(images: ImageWorkers, tmp_path: Path) -> None:
    found = await prepared(images, tmp_path, encoded(Image.new("RGB", (2100, 100)), "PNG"))

    assert (found.width, found.derived, found.placeholder) == (2100, (), None)


async def test_a_preview_is_short_also_with_transparency(images: ImageWorkers, tmp_path: Path) -> None:
    for format in pictures.FORMATS:
        noise = Image.merge("RGBA", [Image.effect_noise((300, 300), 200) for _ in range(4)])
        found = await prepared(images, tmp_path, encoded(noise.convert("RGB") if format == "JPEG" else noise, format))

        assert found.placeholder is None or len(found.placeholder) <= 300


async def test_nothing_is_left_in_work_but_what_is_handed_over(images: ImageWorkers, tmp_path: Path) -> None:
    found = await prepared(images, tmp_path, encoded(drawing(), "PNG"), clean=False)
    assert set((tmp_path / "work").iterdir()) == {each.path for each in found.derived}

    assert await prepare(images, tmp_path, encoded(drawing(), "PNG")[:-30]) is None
    assert set((tmp_path / "work").iterdir()) == {each.path for each in found.derived}


# ---- metadata


async def test_no_metadata_stays(images: ImageWorkers, tmp_path: Path) -> None:
    for format in pictures.FORMATS:
        data = pictures.with_metadata(format)
        assert CANARY.encode() in data

        found = await prepared(images, tmp_path, data)

        image = cleaned(found)
        assert image.format == format
        assert image.size == (64, 48)
        assert not image.getexif()
        assert "icc_profile" not in image.info
        assert found.cleaned is not None
        for path in (found.cleaned, *(each.path for each in found.derived)):
            assert CANARY.encode() not in path.read_bytes()


async def test_an_animation_keeps_its_frames_and_loses_its_metadata(images: ImageWorkers, tmp_path: Path) -> None:
    for format in ("PNG", "GIF", "WEBP"):
        data = pictures.animation(format)
        assert CANARY.encode() in data

        found = await prepared(images, tmp_path, data + CANARY.encode())

        image = cleaned(found)
        original = Image.open(BytesIO(data))
        assert (image.format, getattr(image, "n_frames", 1), image.info.get("loop")) == (format, 3, 0)
        for frame in range(3):
            image.seek(frame)
            original.seek(frame)
            assert image.convert("RGB").tobytes() == original.convert("RGB").tobytes()
            assert image.info["duration"] == 50
        assert found.cleaned is not None
        assert CANARY.encode() not in found.cleaned.read_bytes()


async def test_without_cleaning_there_is_no_copy(images: ImageWorkers, tmp_path: Path) -> None:
    found = await prepared(images, tmp_path, pictures.with_metadata("JPEG", orientation=6), clean=False)

    assert found.cleaned is None
    assert (found.width, found.height) == (48, 64)  # as it is shown
    assert all(CANARY.encode() not in each.path.read_bytes() for each in found.derived)


def turns() -> Iterator[tuple[int, Callable[[Image.Image], Image.Image]]]:
    """How a picture must have been turned before, so that each orientation turns it back."""
    transposes = Image.Transpose
    before = {
        2: transposes.FLIP_LEFT_RIGHT, 3: transposes.ROTATE_180, 4: transposes.FLIP_TOP_BOTTOM,
        5: transposes.TRANSPOSE, 6: transposes.ROTATE_90, 7: transposes.TRANSVERSE, 8: transposes.ROTATE_270,
    }  # fmt: skip
    yield 1, lambda image: image
    for orientation, method in before.items():
        yield orientation, lambda image, method=method: image.transpose(method)


async def test_a_picture_is_turned_as_its_exif_says(images: ImageWorkers, tmp_path: Path) -> None:
    for clean in (True, False):
        upright = drawing(400, 200)
        for orientation, turn in turns():
            data = encoded(turn(upright), "JPEG", exif=pictures.exif(orientation), quality=95, subsampling=0)
            found = await prepared(images, tmp_path, data, clean=clean)

            shown = [opened(each.path) for each in found.derived] + ([cleaned(found)] if clean else [])
            assert (found.width, found.height) == (400, 200), orientation
            for image in shown:
                red, blue = (
                    image.convert("RGB").getpixel((10, 10)),
                    image.convert("RGB").getpixel((image.width - 10, 10)),
                )
                assert isinstance(red, tuple)
                assert isinstance(blue, tuple)
                assert red[0] > 150 > red[2], orientation
                assert blue[2] > 150 > blue[0], orientation


# ---- the copy is as good as the original


async def test_a_png_is_copied_without_loss(images: ImageWorkers, tmp_path: Path) -> None:
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"):
        original = Image.new("I;16", (64, 48), 40_000) if mode == "I;16" else drawing(mode="RGB").convert(mode)

        copy = cleaned(await prepared(images, tmp_path, encoded(original, "PNG")))

        assert copy.mode == mode
        assert copy.convert("RGBA").tobytes() == original.convert("RGBA").tobytes()


async def test_a_jpeg_keeps_its_quality(images: ImageWorkers, tmp_path: Path) -> None:
    data = encoded(drawing(), "JPEG", quality=77, subsampling=0, progressive=True, exif=pictures.exif(6))

    copy = cleaned(await prepared(images, tmp_path, data))

    original = Image.open(BytesIO(data))
    assert copy.quantization == original.quantization  # pyright: ignore[reportAttributeAccessIssue]
    assert copy.info.get("progressive")


async def test_16_bits_become_8_and_not_white(images: ImageWorkers, tmp_path: Path) -> None:
    found = await prepared(images, tmp_path, encoded(Image.new("I;16", (64, 48), 0x8000), "PNG"))

    assert left_of(opened(found.derived[0].path)) == pytest.approx((128, 128, 128), abs=2)


async def test_colours_of_another_profile_become_srgb(images: ImageWorkers, tmp_path: Path) -> None:
    for format in ("JPEG", "PNG", "WEBP", "AVIF"):
        swapped = swapped_profile()
        found = await prepared(
            images, tmp_path, encoded(Image.new("RGB", (32, 32), (200, 40, 40)), format, icc_profile=swapped)
        )

        image = cleaned(found)
        expected = ImageCms.profileToProfile(
            Image.new("RGB", (1, 1), (200, 40, 40)),
            ImageCms.ImageCmsProfile(BytesIO(swapped)),
            ImageCms.createProfile("sRGB"),
        )
        assert expected is not None
        assert "icc_profile" not in image.info
        assert left_of(image) == pytest.approx(left_of(expected), abs=6)
        assert left_of(image)[2] > 150  # red and blue are swapped in this profile


def swapped_profile() -> bytes:
    """sRGB with the primaries of red and blue exchanged, and another name."""
    data = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for old, new in ((b"rXYZ", b"????"), (b"bXYZ", b"rXYZ"), (b"????", b"bXYZ")):
        data = data.replace(old, new)
    return data.replace("sRGB".encode("utf-16-be"), "swap".encode("utf-16-be")).replace(
        b"sRGB built-in", b"swap built-in"
    )


# ---- odd and hostile ones


async def test_good_pictures_of_odd_kinds_are_shown(images: ImageWorkers, tmp_path: Path) -> None:
    for name, data in pictures.pictures_of_odd_kinds():
        for clean in (True, False):
            found = await prepare(images, tmp_path, data, clean=clean)
            assert found is not None, name
            if found.cleaned is not None:
                image = opened(found.cleaned)
                image.load()
                assert image.size == (found.width, found.height), name
                assert b"alert" not in found.cleaned.read_bytes()


async def test_what_is_no_picture_is_refused(images: ImageWorkers, tmp_path: Path) -> None:
    for name, data in pictures.no_pictures():
        assert await prepare(images, tmp_path, data) is None, name
    assert set(images.outcomes) <= {"refused"}


async def test_what_is_cut_is_refused(images: ImageWorkers, tmp_path: Path) -> None:
    for name, data in pictures.cut_pictures():
        assert await prepare(images, tmp_path, data) is None, name
    assert set(images.outcomes) <= {"refused"}


@pytest.mark.slow
async def test_what_is_damaged_is_judged(images: ImageWorkers, tmp_path: Path) -> None:
    for _, data in pictures.damaged_pictures():
        await prepare(images, tmp_path, data)
    assert images.outcomes.total() > 80
    assert set(images.outcomes) <= {"prepared", "refused"}


async def test_the_setting_limits_the_number_of_pixels(tmp_path: Path) -> None:
    async with ImageWorkers(tmp_path, megapixels=1) as images:
        assert await prepare(images, tmp_path, encoded(Image.new("1", (1000, 1000)), "PNG")) is not None
        assert await prepare(images, tmp_path, encoded(Image.new("1", (1000, 1001)), "PNG")) is None
        assert await prepare(images, tmp_path, pictures.larger_jpeg(1000, 1001)) is None
