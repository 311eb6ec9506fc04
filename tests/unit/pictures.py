"""Pictures that tests make for themselves."""

import io
import random
from typing import Any

from PIL import ExifTags, Image, ImageCms

RED, GREEN, BLUE, WHITE = (200, 30, 30), (30, 160, 60), (40, 60, 200), (255, 255, 255)


def scene(width: int = 64, height: int = 48) -> Image.Image:
    """Red upper left, green upper right, blue lower left, white lower right: no turn and no mirror looks the same."""
    image = Image.new("RGB", (width, height), WHITE)
    image.paste(RED, (0, 0, width // 2, height // 2))
    image.paste(GREEN, (width // 2, 0, width, height // 2))
    image.paste(BLUE, (0, height // 2, width // 2, height))
    return image


def noise(width: int, height: int) -> Image.Image:
    """Detail everywhere, so that its files are not small."""
    grains = Image.frombytes(
        "RGB", (width // 2, height // 2), random.Random(7).randbytes(3 * (width // 2) * (height // 2))
    )
    return grains.resize((width, height), Image.Resampling.BICUBIC)


def encoded(image: Image.Image, format: str = "JPEG", **options: Any) -> bytes:
    data = io.BytesIO()
    image.save(data, format, **({"quality": 95, "subsampling": 0} if format == "JPEG" else {}) | options)
    return data.getvalue()


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def corners(image: Image.Image) -> list[tuple[int, ...]]:
    """The colours of the four quarters, by rows."""
    rgb, (width, height) = image.convert("RGB"), image.size
    spots = [(width // 4, height // 4), (3 * width // 4, height // 4)]
    spots += [(x, 3 * height // 4) for x, _ in spots]
    return [rgb.getpixel(spot) for spot in spots]  # type: ignore[misc]


def alike(found: list[tuple[int, ...]], wanted: list[tuple[int, ...]], tolerance: int = 6) -> bool:
    return all(
        abs(a - b) <= tolerance
        for one, other in zip(found, wanted, strict=True)
        for a, b in zip(one, other, strict=True)
    )


def swapped_profile() -> bytes:
    """A valid RGB profile in which red and green have changed places, so that nobody can overlook it."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, green = profile.index(b"rXYZ"), profile.index(b"gXYZ")
    profile[red], profile[green] = profile[green], profile[red]
    return bytes(profile)


def srgb_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def camera_exif(orientation: int = 1) -> bytes:
    """Camera, lens, time, place, maker's note and a copy of the size."""
    exif = Image.Exif()
    exif[ExifTags.Base.Make], exif[ExifTags.Base.Model] = "Examplar", "One"
    exif[ExifTags.Base.Orientation] = orientation
    exif[ExifTags.IFD.Exif] = {
        ExifTags.Base.DateTimeOriginal: "2026:05:01 12:00:00",
        ExifTags.Base.LensModel: "Normal 50",
        ExifTags.Base.MakerNote: b"secret of the maker",
        ExifTags.Base.ExifImageWidth: 9999,
    }
    exif[ExifTags.IFD.GPSInfo] = {
        ExifTags.GPS.GPSLatitudeRef: "N",
        ExifTags.GPS.GPSLatitude: (52.0, 31.0, 12.0),
    }
    return exif.tobytes()
