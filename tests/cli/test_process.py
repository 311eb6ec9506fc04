"""`lightwork process` as people use it."""

import asyncio
import json
import os
import signal
from pathlib import Path

import pytest
from servers.gemini import GeminiServer
from servers.gemini_behaviours import BAD_KEY, Answer, Delay, Hang, Refuse, Throttle
from terminal import Terminal, said, until


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


async def test_a_folder_is_edited_keeps_its_names_and_costs_nothing_the_second_time(
    terminal: Terminal, server: GeminiServer
) -> None:
    terminal.photo("a.jpg", 1)
    terminal.photo("day one/b.jpg", 2)
    terminal.photo("day one/deep/c.jpg", 3)
    before = files(terminal.folder / "photos")
    done = await terminal.process()
    assert (done.code, done.err) == (0, "")
    assert terminal.results() == {"a.jpg", "day one/b.jpg", "day one/deep/c.jpg"}
    assert files(terminal.folder / "photos") == before
    assert server.posts == 3
    assert "3 of 3 pictures edited for $0.1008." in done.out
    assert f"Results  {terminal.out}\n" in done.out
    (report,) = [terminal.folder / line.removeprefix("Report   ") for line in done.lines if line.startswith("Report")]
    assert report.is_file()
    manifest = report.with_name("manifest.jsonl").read_text().splitlines()
    assert {json.loads(line)["name"] for line in manifest} == terminal.results()
    results = terminal.results()
    again = await terminal.process()
    assert again.code == 0
    assert "3 of 3 pictures edited for $0.00." in again.out
    assert (terminal.results(), server.posts) == (results, 3)


async def test_what_is_piped_is_plain_text(terminal: Terminal) -> None:
    terminal.photos(3)
    done = await terminal.process("--model", "local")
    assert done.code == 0
    assert "\x1b" not in done.out
    assert "━" not in done.out
    assert len(done.lines) == 3


async def test_failures_are_listed_with_their_reason_and_the_exit_code_says_so(
    terminal: Terminal, server: GeminiServer
) -> None:
    terminal.photos(2)
    (terminal.folder / "photos" / "notes.jpg").write_text("no picture at all")
    server.rule = lambda asked: Refuse(finish="IMAGE_SAFETY") if server.posts == 1 else None
    done = await terminal.process()
    assert done.code == 1
    assert done.err == ""
    failures = [line for line in done.lines if line.startswith("✗")]
    assert len(failures) == 2
    assert any(line.startswith("✗ notes.jpg: ") for line in failures)
    assert any("safety filter" in line for line in failures)
    assert "1 of 3 pictures edited" in done.out


async def test_a_dry_run_says_everything_sends_nothing_and_leaves_nothing(
    terminal: Terminal, server: GeminiServer
) -> None:
    terminal.photos(2)
    terminal.photo("food/soup.jpg", 9)
    (terminal.folder / "photos" / "1.txt").write_text("Make the sky stormy.")
    before = files(terminal.folder)
    done = await terminal.run("process", "photos", "--out", "out", "--prompt", "Warmer.", "--dry-run")
    assert (done.code, done.err) == (0, "")
    for words in ("enhance, nano_banana", "food, nano_banana", "Warmer.", "Make the sky stormy.", "food/soup.jpg"):
        assert words in done.out
    assert done.out.count("Warmer.") == 2
    assert done.lines[-1].startswith("3 pictures, $0.1008 by the catalog's prices")
    assert files(terminal.folder) == before
    assert server.posts == 0


async def test_money_is_not_spent_without_being_asked(terminal: Terminal, server: GeminiServer) -> None:
    terminal.photos(1)
    asked = await terminal.run("process", "photos", "--out", "out")
    assert asked.code == 2
    assert asked.err.startswith("lightwork: 1 picture, $0.0336 by the catalog's prices")
    assert asked.err.endswith("Add --yes to spend that without being asked.\n")
    assert server.posts == 0
    assert not terminal.out.exists()
    free = await terminal.run("process", "photos", "--out", "out", "--model", "local")
    assert free.code == 0
    assert terminal.results() == {"0.jpg"}


async def test_results_that_lie_among_the_photos_are_bought_again_only_if_they_are_asked_for(
    terminal: Terminal, server: GeminiServer
) -> None:
    terminal.photos(2)
    await terminal.run("process", "photos", "--out", "photos/one", "--yes")
    (terminal.folder / "photos" / "one" / "1.txt").write_text("Warmer.")
    again = await terminal.run("process", "photos", "--out", "photos/two", "--yes")
    assert (again.code, again.err) == (0, "")
    assert "- one/0.jpg was made by LightWork itself; to have it edited once more, name it without" in again.out
    assert "3 of 3 pictures edited for $0.0336." in again.out
    assert server.posts == 3
    alone = await terminal.run("process", "photos/one/0.jpg", "--out", "out", "--yes")
    assert (alone.code, alone.err) == (0, "")
    assert terminal.results() == {"0.jpg"}
    assert server.posts == 4


async def test_prompts_come_from_the_command_line_and_a_photos_own_text_wins(
    terminal: Terminal, server: GeminiServer
) -> None:
    terminal.photo("a.jpg", 1)
    terminal.photo("b.jpg", 2)
    (terminal.folder / "photos" / "b.txt").write_text("Only the sky.")
    await terminal.process("--prompt", "Warmer.", "--module", "custom")
    endings = sorted(asked.prompt.splitlines()[-1] for asked in server.requests)
    assert endings == ["Only the sky.", "Warmer."]


async def test_a_zip_is_made_where_the_settings_want_one(tmp_path: Path, server: GeminiServer) -> None:
    terminal = Terminal(tmp_path, server.url, settings="[output]\nzip = true")
    terminal.photos(1)
    assert (await terminal.process("--model", "local")).code == 0
    assert [path.name for path in terminal.out.rglob("*.zip")] == ["results.zip"]


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (("photos", "--out", "photos"), "is the folder of the photos themselves. Name another one."),
        (("nowhere", "--out", "out"), "Path 'nowhere' does not exist."),
        (("empty", "--out", "out"), "There are no photos in empty."),
        (("config.toml", "--out", "out"), "There are no photos in config.toml."),
        (("photos", "--out", "config.toml/out"), "cannot be written: Not a directory. Name another folder."),
        (("photos", "--out", "out", "--module", "foood"), 'There is no module "foood". Did you mean food?'),
        (("photos", "--out", "out", "--model", "nano_bannana"), "Did you mean nano_banana"),
        (("photos",), "Missing option '--out'"),
        (("--out", "out"), "Missing argument 'PATH...'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
async def test_a_command_that_cannot_be_meant_is_refused_and_says_why(
    terminal: Terminal, server: GeminiServer, command: tuple[str, ...], told: str
) -> None:
    terminal.photos(1)
    (terminal.folder / "empty").mkdir()
    done = await terminal.run("process", *command, "--yes")
    assert done.code == 2
    assert told in done.err
    assert "Traceback" not in done.err
    assert server.posts == 0


async def test_a_mistake_in_job_toml_is_told_before_anything_is_sent(terminal: Terminal, server: GeminiServer) -> None:
    terminal.photos(1)
    (terminal.folder / "photos" / "job.toml").write_text('modle = "local"\n')
    done = await terminal.process()
    assert done.code == 2
    assert 'job.toml, line 1: "modle" is no key of job.toml.' in done.err
    assert server.posts == 0


async def test_odd_names_arrive_as_they_are(terminal: Terminal) -> None:
    names = ["two  spaces.jpg", "[red]markup[-].jpg", "ümläut 日本.jpg", "-dash.jpg", "percent %41.jpg", "a'b\"c.jpg"]
    for seed, name in enumerate(names):
        terminal.photo(name, seed)
    latin = terminal.folder / "photos" / os.fsdecode(b"latin \xe4.jpg")
    latin.write_bytes((terminal.folder / "photos" / names[0]).read_bytes())
    (terminal.folder / "photos" / "[bold]broken.jpg").write_text("x")
    done = await terminal.process("--model", "local")
    assert done.code == 1
    assert "✗ [bold]broken.jpg: " in done.out
    assert set(names) < terminal.results()
    assert f"{len(names) + 1} of {len(names) + 2} pictures edited" in done.out


async def test_ctrl_c_lets_calls_in_flight_end_and_the_same_command_goes_on(
    terminal: Terminal, server: GeminiServer
) -> None:
    terminal.photos(12)
    server.default = Delay(1)
    process = await terminal.start("process", "photos", "--out", "out", "--yes")
    await until(lambda: server.posts == 8)
    os.killpg(process.pid, signal.SIGINT)
    stopped = await said(process)
    assert (stopped.code, stopped.err) == (130, "")
    assert "Ctrl-C once more stops at once" in stopped.out
    assert "Stopped: 8 of 12 pictures are finished." in stopped.out
    assert "The same command goes on from here." in stopped.out
    server.default = Answer()
    done = await terminal.process()
    assert done.code == 0
    assert done.lines[0] == "Going on: 8 of 12 pictures are finished already."
    assert "12 of 12 pictures edited for $0.4032." in done.out
    assert server.posts == 12
    assert len(terminal.results()) == 12


async def test_a_second_ctrl_c_stops_at_once_and_loses_nothing(terminal: Terminal, server: GeminiServer) -> None:
    terminal.photos(3)
    server.default = Hang()
    process = await terminal.start("process", "photos", "--out", "out", "--yes")
    await until(lambda: server.posts == 3)
    os.killpg(process.pid, signal.SIGINT)
    assert process.stdout is not None
    await process.stdout.readuntil(b"stops at once.\n")
    os.killpg(process.pid, signal.SIGINT)
    stopped = await said(process)
    assert stopped.code == 130
    assert "Traceback" not in stopped.err
    assert "Stopped at once." in stopped.out
    (line,) = [line for line in (await terminal.run("jobs")).lines if "photos" in line]
    assert "3 unfinished" in (await terminal.run("job", line.split()[0])).out


async def test_after_a_kill_the_same_command_goes_on_at_once_and_pays_only_for_what_was_in_flight(
    terminal: Terminal, server: GeminiServer
) -> None:
    terminal.photos(12)
    server.rule = lambda asked: Hang() if server.posts > 6 else None
    process = await terminal.start("process", "photos", "--out", "out", "--yes")
    await until(lambda: server.posts == 14 or len(terminal.results()) == 6)
    os.killpg(process.pid, signal.SIGKILL)
    await said(process)
    before, server.rule = server.posts, lambda _: None
    done = await asyncio.wait_for(terminal.process(), 20)
    assert done.code == 0
    assert "12 of 12 pictures edited for $0.4032." in done.out
    assert server.posts - before == 6
    assert len(terminal.results()) == 12


async def test_a_bad_key_ends_the_command_with_what_to_do_and_nothing_is_lost(
    terminal: Terminal, server: GeminiServer
) -> None:
    terminal.photos(12)
    server.default = BAD_KEY
    refused = await terminal.process()
    assert (refused.code, refused.err) == (2, "")
    assert "Check GEMINI_API_KEY." in refused.out
    assert refused.out.count("does not accept the Gemini key") == 2  # when it happens, and at the end
    assert "the same command goes on from here" in refused.out
    asked, server.default = server.posts, Answer()
    assert asked <= 8
    done = await terminal.process()
    assert done.code == 0
    assert "12 of 12 pictures" in done.out
    assert server.posts - asked == 12


async def test_a_busy_service_is_waited_for_and_that_is_told_once(terminal: Terminal, server: GeminiServer) -> None:
    terminal.photos(4)
    server.plan += [Throttle(delay="1s")] * 4
    done = await terminal.process()
    assert done.code == 0
    assert done.out.count("waits until") == 1
    assert done.err == ""


async def test_two_commands_work_side_by_side_on_one_data_folder(terminal: Terminal, server: GeminiServer) -> None:
    terminal.photos(6)
    server.default = Delay(0.1)
    first = await terminal.start("process", "photos", "--out", "out", "--yes")
    second = await terminal.start("process", "photos", "--out", "other", "--yes", "--prompt", "Warmer.")
    for done in await asyncio.gather(said(first), said(second)):
        assert (done.code, done.err) == (0, "")
        assert "6 of 6 pictures edited for $0.2016." in done.out
        assert len(done.lines) == 3
    assert server.posts == 12
    names = {f"{number}.jpg" for number in range(6)}
    assert terminal.results() == names
    assert {path.name for path in (terminal.folder / "other").glob("*.jpg")} == names


async def test_the_same_command_does_not_run_twice_at_a_time(terminal: Terminal, server: GeminiServer) -> None:
    terminal.photos(2)
    server.default = Hang()
    first = await terminal.start("process", "photos", "--out", "out", "--yes")
    await until(lambda: server.posts == 2)
    second = await terminal.process()
    assert second.code == 2
    assert "This very command is at work already." in second.err
    assert server.posts == 2
    os.killpg(first.pid, signal.SIGKILL)
    await said(first)
