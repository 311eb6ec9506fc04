"""The report as a photographer's browser sees it, opened from disk."""

import io
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from engine.report import Entry, Report, write_report


def jpeg(colour: str, size: tuple[int, int] = (90, 60)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "JPEG")
    return buffer.getvalue()


EDITED = Entry(
    name="garden/terrace.jpg",
    status="COMPLETED",
    module="real_estate",
    model="nano_banana",
    provider="gemini",
    provider_model="gemini-nano-banana-2.1",
    prompt="Brighten the terrace.",
    seconds=4.2,
    cost_microusd=39_000,
    attempts=1,
    before=jpeg("navy"),
    after=jpeg("gold"),
    width=900,
    height=600,
    before_href="../../done/garden/terrace.jpg",
    after_href="../../garden/terrace.jpg",
)
FAILED = replace(
    EDITED,
    name="portrait.jpg",
    status="FAILED",
    error="The service refused portrait.jpg: its safety filter objected.",
    advice="Try another prompt.",
    after=None,
    after_href="",
    cost_microusd=0,
)
REPORT = Report(
    job_id="0195a7d0-1111-7000-8000-3f2a9b7c1d20",
    short_id="3f2a9b7c",
    title="Spring shoot",
    created_at=datetime(2026, 3, 18, 14, 5, tzinfo=UTC),
    finished_at=datetime(2026, 3, 18, 14, 8, 5, tzinfo=UTC),
    version="0.1.0",
    entries=(),
)
NASTY_NAMES = [
    "100% #1?.jpg",
    "a b\tc.jpg",
    "line\nbreak.jpg",
    "Müller Café, Фото №7 写真.jpg",
    'it\'s "quoted" & <b>bold<b>.jpg',
    "javascript:alert(1).jpg",
    "%2e%2e%2fescape.jpg",
    "back\\slash;semi,comma.jpg",
    "\u202egpj.exe.jpg",
    "n" * 251 + ".jpg",
    os.fsdecode(b"latin-1 caf\xe9.jpg"),
]
HOSTILE = (
    "</script><script>window.__pwned=1</script><img src=x onerror=window.__pwned=1>\"'><svg onload=alert(1)>{{7*7}}"
)


@dataclass
class Visit:
    """What happened while a page was open."""

    page: Page
    folder: Path
    requests: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


Open = Callable[..., Visit]


@pytest.fixture
def open_report(chromium: Browser, tmp_path: Path) -> Iterator[Open]:
    """Writes a report and opens it; the context's options can be given."""
    contexts = []

    def open_it(*entries: Entry, report: Report = REPORT, **options: Any) -> Visit:
        folder = tmp_path / "outbox" / "_reports" / "2026-03-18 #1"
        write_report(folder, replace(report, entries=entries))
        contexts.append(context := chromium.new_context(**options))
        context.set_default_timeout(5_000)
        visit = Visit(context.new_page(), folder)
        visit.page.on("request", lambda request: visit.requests.append(request.url))
        visit.page.on("console", lambda message: visit.problems.append(message.text))
        visit.page.on("pageerror", lambda error: visit.problems.append(str(error)))
        visit.page.on("dialog", lambda dialog: (visit.problems.append(dialog.message), dialog.dismiss()))
        visit.page.goto((folder / "report.html").as_uri())
        return visit

    yield open_it
    for context in contexts:
        context.close()


def slider(page: Page) -> Any:
    return page.get_by_role("slider", name="Compare before and after: garden/terrace.jpg")


def box(page: Page, selector: str) -> dict[str, float]:
    bounds = page.locator(selector).first.bounding_box()
    assert bounds is not None
    return dict(bounds)


def middle(bounds: dict[str, float]) -> tuple[float, float]:
    return bounds["x"] + bounds["width"] / 2, bounds["y"] + bounds["height"] / 2


def test_the_page_has_no_console_error_and_asks_for_nothing_outside_its_folder(open_report: Open) -> None:
    visit = open_report(FAILED, *[EDITED] * 5, *[replace(EDITED, before=None, after=None)] * 200)
    visit.page.locator("details").first.locator("summary").click()
    visit.page.locator("figure").nth(4).scroll_into_view_if_needed()
    visit.page.get_by_role("link", name="Next").first.click()
    visit.page.wait_for_load_state("networkidle")
    assert visit.problems == []
    assert any(url.endswith("0001-before.jpg") for url in visit.requests)
    assert [url for url in visit.requests if not url.startswith((visit.folder.as_uri() + "/", "data:"))] == []


def test_every_preview_on_the_page_is_shown(open_report: Open) -> None:
    page = open_report(FAILED, EDITED).page
    widths = (
        "[...document.images].map(image => (image.loading = 'eager', image.decode().then(() => image.naturalWidth)))"
    )
    assert page.evaluate(f"Promise.all({widths})") == [90, 90, 90]


def test_the_slider_moves_by_keyboard(open_report: Open) -> None:
    page = open_report(EDITED).page
    handle = slider(page)
    page.keyboard.press("Tab")
    expect(handle).to_be_focused()
    for _ in range(20):
        page.keyboard.press("ArrowRight")
    expect(handle).to_have_value("70")
    expect(handle).to_have_attribute("aria-valuetext", "30 % after")
    expect(page.locator(".after-side")).to_have_css("clip-path", "inset(0px 0px 0px 70%)")
    page.keyboard.press("Home")
    expect(handle).to_have_attribute("aria-valuetext", "100 % after")


def test_a_focused_slider_is_outlined(open_report: Open) -> None:
    page = open_report(EDITED).page
    expect(page.locator(".compare")).to_have_css("outline-style", "none")
    page.keyboard.press("Tab")
    expect(page.locator(".compare")).to_have_css("outline-style", "solid")


@pytest.mark.parametrize("share", [0.0, 0.8, 1.0])
def test_the_edge_between_the_pictures_is_where_the_mouse_is(open_report: Open, share: float) -> None:
    page = open_report(EDITED).page
    page.locator(".compare").scroll_into_view_if_needed()
    bounds = box(page, ".compare")
    across = bounds["x"] + 1 + share * (bounds["width"] - 2)
    page.mouse.move(*middle(bounds))
    page.mouse.down()
    page.mouse.move(across, middle(bounds)[1], steps=5)
    page.mouse.up()
    assert middle(box(page, ".handle"))[0] == pytest.approx(across, abs=bounds["width"] / 150)


def test_the_slider_follows_a_finger(open_report: Open) -> None:
    page = open_report(EDITED, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True).page
    page.locator(".compare").scroll_into_view_if_needed()
    bounds = box(page, ".compare")
    x, y = middle(bounds)
    finger = page.context.new_cdp_session(page)
    finger.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    for step in range(1, 11):
        point = {"x": x - step * bounds["width"] / 40, "y": y}
        finger.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [point]})
    finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    assert int(slider(page).input_value()) == pytest.approx(25, abs=3)


def test_a_finger_on_a_picture_can_still_scroll_the_page(open_report: Open) -> None:
    page = open_report(EDITED, has_touch=True).page
    expect(slider(page)).to_have_css("touch-action", "pan-y")


def test_both_pictures_are_described(open_report: Open) -> None:
    page = open_report(EDITED).page
    expect(page.get_by_role("img", name="Before: garden/terrace.jpg")).to_have_count(1)
    expect(page.get_by_role("img", name="After: garden/terrace.jpg")).to_have_count(1)


def test_enter_on_the_slider_opens_the_edited_picture_full_size(open_report: Open) -> None:
    visit = open_report(EDITED)
    full_size = visit.folder.parent.parent / "garden" / "terrace.jpg"
    full_size.parent.mkdir()
    full_size.write_bytes(jpeg("gold"))
    slider(visit.page).focus()
    with visit.page.expect_popup() as opened:
        visit.page.keyboard.press("Enter")
    opened.value.wait_for_load_state()
    assert opened.value.url == full_size.as_uri()


def test_full_size_links_reach_their_files_whatever_they_are_called(open_report: Open) -> None:
    entries = [
        replace(EDITED, name=name, after_href=f"../../{name}", before_href=f"../../{name}") for name in NASTY_NAMES
    ]
    visit = open_report(*entries)
    outbox = visit.folder.parent.parent
    for name in NASTY_NAMES:
        (outbox / name).write_bytes(jpeg("gold", (33, 22)))
    links = visit.page.locator("a.edited").evaluate_all("links => links.map(link => link.href)")
    originals = visit.page.locator("a.original").evaluate_all("links => links.map(link => link.href)")
    reached = [os.fsdecode(unquote_to_bytes(urlsplit(link).path)) for link in links]
    assert [Path(path).resolve() for path in reached] == [outbox / name for name in NASTY_NAMES]
    assert originals == links
    for link in links:
        visit.page.goto(link)
        assert visit.page.evaluate("document.images[0].naturalWidth") == 33, link


def test_hostile_texts_are_shown_and_never_run(open_report: Open) -> None:
    texts = dict.fromkeys(
        ("name", "module", "model", "provider", "provider_model", "prompt", "error", "advice"), HOSTILE
    )
    hostile = replace(
        EDITED, **texts, before_href="javascript:window.__pwned=1", after_href="//evil.example/" + HOSTILE
    )
    visit = open_report(
        hostile,
        replace(hostile, status="FAILED", before_href="data:text/html,<script>window.__pwned=1</script>"),
        replace(hostile, status="<script>window.__pwned=1</script>"),
        report=replace(REPORT, title=HOSTILE, job_id=HOSTILE, short_id=HOSTILE, version=HOSTILE),
    )
    visit.page.locator("figure summary").click()
    visit.page.wait_for_load_state("networkidle")
    assert visit.page.evaluate("window.__pwned") is None
    assert visit.problems == []
    assert visit.page.locator("script").count() == 1
    assert set(visit.page.locator("a").evaluate_all("links => links.map(link => link.protocol)")) == {"file:"}
    assert set(visit.page.locator("a").evaluate_all("links => links.map(link => link.host)")) == {""}
    expect(visit.page.locator("figure .prompt")).to_have_text(HOSTILE)
    expect(visit.page.locator("h1")).to_have_text(HOSTILE)


def test_the_policy_stops_a_script_that_gets_into_the_page_all_the_same(open_report: Open) -> None:
    visit = open_report(EDITED)
    page = visit.folder / "report.html"
    injected = "<script>window.__pwned=1</script><b onclick='window.__pwned=1' id=trap>x</b></main>"
    page.write_text(page.read_text("utf-8").replace("</main>", injected), "utf-8")
    visit.page.reload()
    visit.page.locator("#trap").click()
    assert visit.page.evaluate("window.__pwned") is None
    assert any("Content Security Policy" in problem for problem in visit.problems)


def test_a_right_to_left_mark_in_a_name_does_not_turn_the_text_around_it(open_report: Open) -> None:
    page = open_report(replace(EDITED, name="\u202egpj.terrace")).page
    expect(page.locator("figcaption h3 bdi")).to_have_css("unicode-bidi", "isolate")


@pytest.mark.parametrize("width", [390, 320])
def test_a_phone_never_scrolls_sideways(open_report: Open, width: int) -> None:
    unbroken = "W" * 300
    long = replace(EDITED, name=unbroken, module=unbroken, model=unbroken, provider_model=unbroken, prompt=unbroken)
    visit = open_report(
        replace(long, status="FAILED", error=unbroken, advice=unbroken),
        long,
        replace(EDITED, width=600, height=900),
        report=replace(REPORT, title=unbroken),
        viewport={"width": width, "height": 800},
        has_touch=True,
        is_mobile=True,
    )
    visit.page.locator("details").evaluate_all("all => all.forEach(one => { one.open = true; })")
    assert visit.page.evaluate("document.documentElement.scrollWidth") == width
    assert visit.page.evaluate("visualViewport.width") == width


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_jumps_while_the_page_and_its_pictures_load(open_report: Open, width: int) -> None:
    portrait = replace(EDITED, width=600, height=900)
    page = open_report(*[portrait, EDITED] * 30, viewport={"width": width, "height": 800}).page
    page.evaluate(
        "new PerformanceObserver(list => { window.shifts = (window.shifts || 0) + list.getEntries().length; })"
        ".observe({type: 'layout-shift', buffered: true})"
    )
    page.locator("figure").last.scroll_into_view_if_needed()
    page.wait_for_load_state("networkidle")
    assert page.evaluate("window.shifts || 0") == 0
    assert set(page.locator("img").evaluate_all("images => images.map(image => image.loading)")) == {"lazy"}


@pytest.mark.parametrize("size", [(900, 600), (600, 900), (3000, 400)])
def test_the_comparison_has_the_aspect_of_the_result(open_report: Open, size: tuple[int, int]) -> None:
    page = open_report(replace(EDITED, width=size[0], height=size[1])).page
    bounds = box(page, ".compare")
    assert bounds["width"] / bounds["height"] == pytest.approx(size[0] / size[1], rel=0.02)
    assert bounds["width"] > 100


def shows_both_pictures_side_by_side(page: Page) -> bool:
    sides = page.locator(".compare").first.locator("img")
    before, after = sides.evaluate_all("images => images.map(image => image.getBoundingClientRect().toJSON())")
    return min(before["width"], after["width"]) > 50 and before["right"] <= after["left"] and before["y"] == after["y"]


def test_print_shows_both_pictures_on_white_and_no_controls(open_report: Open) -> None:
    page = open_report(FAILED, EDITED, color_scheme="dark").page
    slider(page).press("Home")
    page.emulate_media(media="print", color_scheme="dark")
    assert shows_both_pictures_side_by_side(page)
    expect(page.locator(".side").first).to_have_css("clip-path", "none")
    expect(page.locator("body")).to_have_css("background-color", "rgb(255, 255, 255)")
    for control in (".compare > input", ".handle", ".files"):
        expect(page.locator(control).first).to_be_hidden()
    expect(page.get_by_text(FAILED.error)).to_be_visible()


def test_printing_includes_pictures_that_were_not_scrolled_to(open_report: Open) -> None:
    few, many = (replace(EDITED, after=jpeg(colour, (800, 600))) for colour in ("gold", "teal"))
    page = open_report(few, *[many] * 30).page
    assert page.pdf().count(b"/DCTDecode") >= 60


def test_both_pictures_are_shown_where_scripts_are_off(open_report: Open) -> None:
    page = open_report(EDITED, java_script_enabled=False).page
    assert shows_both_pictures_side_by_side(page)
    expect(page.locator(".compare > input")).to_be_hidden()


def test_failures_are_listed_with_reason_and_advice_and_can_be_jumped_to(open_report: Open) -> None:
    page = open_report(*[EDITED] * 3, FAILED, viewport={"width": 800, "height": 300}).page
    page.get_by_role("link", name="1", exact=True).click()
    failures = page.get_by_role("region", name="Not edited")
    expect(failures).to_be_in_viewport()
    expect(failures.get_by_text(FAILED.error)).to_be_visible()
    expect(failures.get_by_text("Try another prompt.")).to_be_visible()


def test_a_cancelled_photo_is_told_apart_from_a_failed_one(open_report: Open) -> None:
    page = open_report(EDITED, replace(FAILED, status="CANCELLED", error="", advice="")).page
    expect(page.locator(".summary")).to_contain_text("cancelled")
    expect(page.locator(".summary")).not_to_contain_text("failed")
    expect(page.get_by_text("Cancelled before it was edited.")).to_be_visible()


def test_the_head_sums_up_the_job(open_report: Open) -> None:
    page = open_report(EDITED, EDITED, replace(EDITED, provider="local", model="local", cost_microusd=0), FAILED).page
    pairs = page.locator(".summary > div").evaluate_all(
        "all => all.map(one => [one.querySelector('dt').innerText, one.querySelector('dd').innerText])"
    )
    assert pairs == [
        ["edited", "3"],
        ["failed", "1"],
        ["total cost", "$0.078"],
        ["total time", "3 min 5 s"],
        ["models", "nano_banana, local (no image model)"],
    ]
    expect(page.locator("time")).to_have_text("18 March 2026, 14:05 UTC")


def test_details_name_prompt_module_model_duration_cost_and_attempts(open_report: Open) -> None:
    page = open_report(replace(EDITED, attempts=3)).page
    page.locator("figure summary").click()
    expect(page.locator("figure dl")).to_have_text(
        "Prompt Brighten the terrace. File garden/terrace.jpg Module real_estate "
        "Model nano_banana gemini-nano-banana-2.1 at gemini Duration 4.2 s Cost $0.039 Attempts 3",
        use_inner_text=True,
    )


def test_work_without_an_image_model_says_so(open_report: Open) -> None:
    page = open_report(replace(EDITED, provider="local", model="local", provider_model="local")).page
    expect(page.locator("figure summary")).to_contain_text("local (no image model)")


def test_more_than_two_hundred_photos_are_spread_over_pages_that_link_each_other(open_report: Open) -> None:
    light = replace(EDITED, before=None, after=None)
    visit = open_report(*[light] * 400, FAILED)
    assert sorted(page.name for page in visit.folder.glob("report*.html")) == [
        "report-2.html",
        "report-3.html",
        "report.html",
    ]
    for number, shown in ((1, 200), (2, 200), (3, 1)):
        expect(visit.page.locator("header [aria-current=page]")).to_have_text(str(number))
        expect(visit.page.locator("figure, .missing > li")).to_have_count(shown)
        if number < 3:
            visit.page.get_by_role("link", name="Next").first.click()
    visit.page.get_by_role("link", name="1", exact=True).click()
    expect(visit.page.get_by_text(FAILED.error)).to_be_in_viewport()


def test_an_empty_job_says_so(open_report: Open) -> None:
    visit = open_report()
    expect(visit.page.get_by_text("There are no photos in this job.")).to_be_visible()
    assert visit.problems == []


def test_a_job_of_which_nothing_came_out_says_so(open_report: Open) -> None:
    page = open_report(replace(FAILED, before=None, seconds=None)).page
    expect(page.get_by_text("No photo of this job was edited.")).to_be_visible()
    expect(page.get_by_role("region", name="Edited", exact=True)).to_have_count(0)


def test_a_picture_made_from_text_alone_is_shown_without_a_slider(open_report: Open) -> None:
    page = open_report(replace(EDITED, before=None, before_href="")).page
    expect(page.get_by_role("img", name="After: garden/terrace.jpg")).to_be_visible()
    expect(page.get_by_role("slider")).to_have_count(0)
    expect(page.locator("a.original")).to_have_count(0)


def luminance(colour: str) -> float:
    def linear(channel: int) -> float:
        share = channel / 255
        return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4

    red, green, blue = (linear(int(colour[place : place + 2], 16)) for place in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(open_report: Open, scheme: str) -> None:
    page = open_report(EDITED, color_scheme=scheme).page
    names = ["--paper", "--mat", "--ink", "--soft", "--bad", "--focus"]
    colours = page.evaluate("names => names.map(name => getComputedStyle(document.body).getPropertyValue(name))", names)
    paper, mat, *texts = map(luminance, colours)
    assert (paper > 0.5) == (scheme == "light")
    for ground in (paper, mat):
        for text in texts:
            assert (max(text, ground) + 0.05) / (min(text, ground) + 0.05) >= 4.5


def test_nothing_moves_by_itself_for_people_who_asked_for_less_motion(open_report: Open) -> None:
    page = open_report(EDITED, reduced_motion="reduce").page
    expect(page.locator("html")).to_have_css("scroll-behavior", "auto")
