"""What a camera wrote about a photo, cleaned so that it can stand in another picture."""

from PIL import ExifTags, Image

# What describes the photo and not the layout of its file, in which a TIFF keeps its pixels.
DESCRIPTIVE = frozenset(
    {
        ExifTags.Base.ImageDescription,
        ExifTags.Base.Make,
        ExifTags.Base.Model,
        ExifTags.Base.XResolution,
        ExifTags.Base.YResolution,
        ExifTags.Base.ResolutionUnit,
        ExifTags.Base.Software,
        ExifTags.Base.DateTime,
        ExifTags.Base.Artist,
        ExifTags.Base.HostComputer,
        ExifTags.Base.Copyright,
        ExifTags.Base.Rating,
        ExifTags.Base.XPTitle,
        ExifTags.Base.XPComment,
        ExifTags.Base.XPAuthor,
        ExifTags.Base.XPKeywords,
        ExifTags.Base.XPSubject,
    }
)
# A maker's note points into the file that it was written for; the rest is wrong for another size.
BOUND_TO_THE_FILE = frozenset(
    {
        ExifTags.Base.MakerNote,
        ExifTags.IFD.Interop,
        ExifTags.Base.ExifImageWidth,
        ExifTags.Base.ExifImageHeight,
    }
)
UPRIGHT = 1
# One segment of a JPEG has room for no more.
MOST_BYTES = 65_000


def orientation(image: Image.Image) -> int:
    """1 to 8 as EXIF counts them; 1 where the picture does not say or says nonsense."""
    try:
        turned = image.getexif().get(ExifTags.Base.Orientation, UPRIGHT)
    except Exception:  # whatever Pillow trips over in a hostile file
        return UPRIGHT
    return turned if turned in range(1, 9) else UPRIGHT


def cleaned(image: Image.Image) -> bytes:
    """The picture's EXIF: upright, without thumbnail and maker's note, still with GPS. Empty where it is unreadable."""
    try:
        return _assembled(image.getexif(), gps=True)
    except Exception:  # as above
        return b""


def without_gps(exif: bytes) -> bytes:
    """Cleaned EXIF that does not say where the photo was taken."""
    try:
        loaded = Image.Exif()
        loaded.load(exif)
        return _assembled(loaded, gps=False)
    except Exception:  # as above; it must not cost the picture that it belongs to
        return b""


def _assembled(exif: Image.Exif, *, gps: bool) -> bytes:
    kept = Image.Exif()
    kept.update({tag: value for tag, value in exif.items() if tag in DESCRIPTIVE})
    camera = exif.get_ifd(ExifTags.IFD.Exif)
    if camera := {tag: value for tag, value in camera.items() if tag not in BOUND_TO_THE_FILE}:
        kept[ExifTags.IFD.Exif] = camera
    if gps and (place := exif.get_ifd(ExifTags.IFD.GPSInfo)):
        kept[ExifTags.IFD.GPSInfo] = place
    if not kept:
        return b""
    kept[ExifTags.Base.Orientation] = UPRIGHT
    encoded = kept.tobytes()
    return encoded if len(encoded) <= MOST_BYTES else b""
