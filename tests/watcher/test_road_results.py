"""What lies in the outbox: results with all that their originals said of themselves, and a report of each job."""

import json
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from hot_folder import Road, files, opened, photo
from PIL import ExifTags, Image, ImageCms

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def camera_data() -> Image.Exif:
    """EXIF as a camera writes it: turned, and with the place."""
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Example"
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.IFD.Exif] = {ExifTags.Base.DateTimeOriginal: "2026:11:21 12:00:00"}
    exif[ExifTags.IFD.GPSInfo] = {ExifTags.GPS.GPSLatitudeRef: "N", ExifTags.GPS.GPSLatitude: (52.0, 31.0, 12.0)}
    return exif


async def test_a_result_says_what_its_original_said_upright_and_without_the_place(road: Road) -> None:
    road.drop("trip/a.jpg", photo(1, exif=camera_data(), icc_profile=PROFILE))
    await road.until_results("trip/a.jpg")
    result = opened(road.outbox / "trip" / "a.jpg")
    exif = result.getexif()
    assert result.size == (64, 96)
    assert result.info["icc_profile"] == PROFILE
    assert exif[ExifTags.Base.Make] == "Example"
    assert exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] == "2026:11:21 12:00:00"
    assert exif.get(ExifTags.Base.Orientation, 1) == 1
    assert not exif.get_ifd(ExifTags.IFD.GPSInfo)
    assert opened(road.done / "trip" / "a.jpg").getexif().get_ifd(ExifTags.IFD.GPSInfo)


class Links(HTMLParser):
    """What a page refers to."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.feed(page.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found |= {value for name, value in attrs if name in {"href", "src"} and value}


async def test_the_report_is_written_once_and_all_that_it_refers_to_is_there(road: Road) -> None:
    names = ["plain.jpg", "sea/a b#c%d.jpg", "Müller?.jpg", "x&y=<z>.jpg"]
    for seed, name in enumerate(names):
        road.drop(name, photo(seed))
    road.drop("broken.jpg", b"no photo")
    await road.until_results(*names)
    (manifest,) = road.manifests()
    rows = {row["name"]: row for row in map(json.loads, manifest.read_text().splitlines())}
    assert set(rows) == {*names, "broken.jpg"}
    for row in rows.values():
        assert (manifest.parent / row["original"]).resolve().is_relative_to(road.path)
        paths = [row[key] for key in ("original", "result", "before_preview", "after_preview") if row[key]]
        assert all((manifest.parent / path).is_file() for path in paths)
        assert len(paths) == (4 if row["status"] == "COMPLETED" else 1)
    assert rows["broken.jpg"]["status"] == "FAILED"
    links = [urlsplit(link) for link in Links(manifest.parent / "report.html").found]
    local = [unquote(link.path) for link in links if link.path and link.scheme != "data"]
    assert not [link for link in links if link.scheme not in {"", "data"}]
    assert len(local) >= 4 * len(names)
    assert [path for path in local if not (manifest.parent / path).is_file()] == []
    assert files(manifest.parent.parent) == {f"{manifest.parent.name}/{name}" for name in files(manifest.parent)}
