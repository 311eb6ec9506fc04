"""What people put beside their photos, on the whole road: folders, texts, `job.toml`, and where results then go."""

import re
import zipfile
from pathlib import Path

import pytest
from hot_folder import Road, files, opened, photo, road_settings, running
from servers.gemini import GeminiServer, Refuse

from engine.catalog import load_catalog


@pytest.fixture
def asked(tmp_path: Path, gemini: GeminiServer) -> dict[str, object]:
    """Settings for photos that are sent to the Gemini server."""
    return {"tmp_path": tmp_path, "model": "nano_banana", "url": gemini.url}


def asked_about(gemini: GeminiServer, words: str) -> int:
    return sum(words in request.prompt for request in gemini.requests)


async def test_folders_and_texts_say_what_becomes_of_each_photo(road: Road) -> None:
    road.drop("plain.jpg", photo(1))
    road.drop("food/soup.jpg", photo(2))
    road.drop("food/soup.txt", "Steaming.")
    road.drop("trip/own.jpg", photo(3))
    road.drop("trip/own.jpg.txt", "Own words.")
    road.drop("trip/shared.jpg", photo(4))
    road.drop("trip/prompt.txt", "Shared words.")
    await road.until_results("plain.jpg", "food/soup.jpg", "trip/own.jpg", "trip/shared.jpg")
    told = {line["name"]: (line["module"], line["prompt"].rpartition("\n\n")[2]) for line in road.reported()}
    assert told["plain.jpg"][0] == "enhance"
    assert told["food/soup.jpg"] == ("food", "Steaming.")
    assert told["trip/own.jpg"] == ("enhance", "Own words.")
    assert told["trip/shared.jpg"] == ("enhance", "Shared words.")


async def test_a_photos_own_text_goes_where_it_goes_and_a_folders_text_stays(road: Road) -> None:
    road.drop("trip/own.jpg", photo(1))
    road.drop("trip/own.txt", "Own words.")
    road.drop("trip/own.xmp", "<x/>")
    road.drop("trip/prompt.txt", "Shared words.")
    road.drop("trip/broken.jpg", b"not a photo")
    road.drop("trip/broken.txt", "Its words.")
    await road.until_results("trip/own.jpg")
    assert files(road.done) == {"trip/own.jpg", "trip/own.txt", "trip/own.xmp"}
    assert files(road.failed) == {"trip/broken.jpg", "trip/broken.jpg.error.txt", "trip/broken.txt"}
    assert files(road.inbox) == {"trip/prompt.txt"}


JOB = """
model = "nano_banana_pro"
prompt = "On grey."
size = "2K"
aspect = "4:5"
variations = 3
references = ["style.png"]
"""


async def test_a_job_file_asks_for_variations_references_size_and_aspect(
    gemini: GeminiServer, asked: dict[str, object]
) -> None:
    async with running(road_settings(**asked)) as road:
        road.drop("shop/job.toml", JOB)
        road.drop("shop/style.png", photo(9, format="PNG"))
        road.drop("shop/a.jpg", photo(1))
        await road.until_results("shop/a.jpg", "shop/a-v2.jpg", "shop/a-v3.jpg")
        assert [(len(one.inputs), one.model, one.size, one.aspect) for one in gemini.requests] == [
            (2, "gemini-3-pro-image", "2K", "4:5")
        ] * 3
        assert asked_about(gemini, "On grey.") == 3
        for name in road.results():
            width, height = opened(road.outbox / name).size
            assert abs(width / height - 4 / 5) < 0.01
        assert files(road.done) == {"shop/a.jpg"}
        assert files(road.inbox) == {"shop/job.toml", "shop/style.png"}


async def test_a_mistake_in_a_job_file_holds_its_photos_back_until_it_is_mended(
    road: Road, caplog: pytest.LogCaptureFixture
) -> None:
    road.drop("shop/job.toml", 'module = "product"\nvariatons = 2\n')
    for number in range(3):
        road.drop(f"shop/{number}.jpg", photo(number))
    road.drop("free.jpg", photo(7))
    await road.until(lambda: files(road.failed) == {"shop/job.toml.error.txt"})
    assert "line 2" in road.note("shop/job.toml")
    assert 'Did you mean "variations"?' in road.note("shop/job.toml")
    await road.until_results("free.jpg")
    assert caplog.text.count("Photos in shop wait") == 1
    road.drop("shop/job.toml", 'module = "product"\nvariations = 1\n')
    await road.until_results("free.jpg", "shop/0.jpg", "shop/1.jpg", "shop/2.jpg")
    assert files(road.failed) == set()
    assert {line["module"] for line in road.reported() if line["name"] != "free.jpg"} == {"product"}


@pytest.mark.parametrize(
    ("kind", "row"), [("module", {"prompt": "x"}), ("model", {"provider": "local", "id": "local"})]
)
async def test_photos_wait_for_what_their_job_file_names_until_a_reload_brings_it(
    road: Road, caplog: pytest.LogCaptureFixture, kind: str, row: dict[str, str]
) -> None:
    def take_over(rows: dict[str, dict[str, str]]) -> None:
        road.engine.catalog.adopt(load_catalog(rows if kind == "model" else {}, rows if kind == "module" else {}))
        road.engine.changes.tell(road.engine.settings)

    road.drop("sub/job.toml", f'{kind} = "beach"')
    for number, names in enumerate((["sub/0.jpg"], ["sub/0.jpg", "sub/1.jpg"])):
        road.drop(f"sub/{number}.jpg", photo(number))
        await road.until(lambda: files(road.failed) == {"sub/job.toml.error.txt"})
        assert f'There is no {kind} "beach"' in road.note("sub/job.toml")
        assert caplog.text.count("Photos in sub wait: sub/job.toml, line 1") == number + 1
        take_over({"beach": row})
        await road.until_results(*names)  # long before the next scan
        assert files(road.failed) == set()
        take_over({})
    assert "an error of LightWork's own" not in caplog.text


async def test_photos_of_a_folder_whose_module_does_not_exist_wait_and_that_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(road_settings(tmp_path, watch={"module": "beach"})) as road:
        road.drop("a.jpg", photo(1))
        await road.until(lambda: 'Photos in . wait: There is no module "beach"' in caplog.text)
        await road.until(lambda: files(road.failed) == {"job.toml.error.txt"})
        assert files(road.inbox) == {"a.jpg"}


async def test_photos_wait_for_a_reference_that_comes_later(gemini: GeminiServer, asked: dict[str, object]) -> None:
    async with running(road_settings(**asked)) as road:
        road.drop("shop/job.toml", 'references = ["style.png"]')
        road.drop("shop/a.jpg", photo(1))
        await road.until(lambda: files(road.failed) == {"shop/job.toml.error.txt"})
        road.drop("shop/style.png", photo(9, format="PNG"))
        await road.until_results("shop/a.jpg")
        assert [len(request.inputs) for request in gemini.requests] == [2]
        assert files(road.failed) == set()


@pytest.mark.parametrize("stem", ["a", "ü" * 125])
async def test_a_text_that_cannot_be_a_prompt_sends_its_photo_to_failed(road: Road, stem: str) -> None:
    road.drop(f"{stem}.txt", "x" * 100_000)
    road.drop(f"{stem}.jpg", photo(1))
    await road.until(lambda: [*road.failed.glob("*.error.txt")])
    (note,) = road.failed.glob("*.error.txt")
    assert (road.failed / f"{stem}.jpg").read_bytes() == photo(1)
    assert f"{stem}.txt is longer than 64 KB" in note.read_text()


async def test_one_folder_for_each_job_holds_results_report_and_zip(tmp_path: Path) -> None:
    async with running(road_settings(tmp_path, watch={"layout": "job", "zip": True})) as road:
        road.drop("a.jpg", photo(1))
        road.drop("sea/b.jpg", photo(2))
        await road.until(road.manifests)
        await road.until_idle()
        (folder,) = road.outbox.iterdir()
        assert re.fullmatch(r"\d{8}-\d{6}-[0-9a-f]{8}", folder.name)
        images = await road.engine.store.images.of_job((await road.engine.store.jobs.list())[0].id)
        assert {image.place["shared"] for image in images} == {str(road.outbox)}
        assert {"a.jpg", "sea/b.jpg", "report.html", "manifest.jsonl", "results.zip"} <= files(folder)
        with zipfile.ZipFile(folder / "results.zip") as archive:
            assert archive.read("sea/b.jpg") == (folder / "sea" / "b.jpg").read_bytes()
            assert sorted(Path(name).name for name in archive.namelist()) == ["a.jpg", "b.jpg"]


async def test_a_failed_photo_is_tried_again_when_it_is_moved_back(
    gemini: GeminiServer, asked: dict[str, object]
) -> None:
    gemini.plan.append(Refuse(finish="IMAGE_SAFETY"))
    async with running(road_settings(**asked)) as road:
        road.drop("sea/a.jpg", photo(1))
        await road.until(lambda: files(road.failed) == {"sea/a.jpg", "sea/a.jpg.error.txt"})
        await road.until_idle()
        assert "What to do:" in road.note("sea/a.jpg")
        (road.failed / "sea" / "a.jpg").rename(road.inbox / "sea" / "a.jpg")
        await road.until_results("sea/a.jpg")
        assert files(road.failed) == set()
        assert files(road.done) == {"sea/a.jpg"}
        assert gemini.posts == 2


async def test_the_same_photo_dropped_again_is_neither_bought_nor_kept_twice(
    gemini: GeminiServer, asked: dict[str, object]
) -> None:
    async with running(road_settings(**asked)) as road:
        for _ in range(2):
            road.drop("a.jpg", photo(1))
            await road.until(lambda: not files(road.inbox))
            await road.until_idle()
        assert gemini.posts == 1
        assert road.results() == files(road.done) == {"a.jpg"}
        assert [line["cost_microusd"] > 0 for line in road.reported()].count(True) == 1


async def test_another_photo_of_the_same_name_gets_a_name_of_its_own(road: Road) -> None:
    for seed in (1, 2, 3):
        road.drop("a.jpg", photo(seed))
        await road.until(lambda: not files(road.inbox))
        await road.until_idle()
    assert road.results() == files(road.done) == {"a.jpg", "a-2.jpg", "a-3.jpg"}
    originals = [(road.done / name).read_bytes() for name in ("a.jpg", "a-2.jpg", "a-3.jpg")]
    assert originals == [photo(1), photo(2), photo(3)]


async def test_the_note_on_a_job_file_goes_even_if_it_was_mended_while_lightwork_was_not_running(
    tmp_path: Path,
) -> None:
    settings = road_settings(tmp_path)
    async with running(settings) as road:
        road.drop("shop/job.toml", "modul = 1")
        road.drop("shop/a.jpg", photo(1))
        await road.until(lambda: files(road.failed) == {"shop/job.toml.error.txt"})
    async with running(settings) as road:
        road.drop("shop/job.toml", 'module = "product"')
        await road.until_results("shop/a.jpg")
        assert files(road.failed) == set()
