"""What a service manager and Prometheus are told, over HTTP by a process of its own."""

import asyncio
import signal
import socket
from contextlib import ExitStack
from pathlib import Path

from hot_folder import photo
from servers.gemini import GeminiServer
from servers.gemini_behaviours import Hang, Throttle
from service import Service, service

NANO = {"provider": "gemini", "model_id": "gemini-nano-banana-2.1"}


async def test_a_service_at_work_lives_is_ready_and_counts_what_it_did(tmp_path: Path) -> None:
    async with GeminiServer() as server, service(tmp_path, url=server.url, model="nano_banana") as process:
        process.drop("Anna Schmidt.jpg", photo(1))
        process.drop("b.jpg", photo(2))
        await process.until(lambda: len(process.results()) == 2 and process.manifests())
        assert await process.get("livez") == (200, "ok\n")
        assert await process.get("readyz") == (200, "ok\n")
        metrics = await process.metrics()
        assert await process.value("lightwork_attempts_total", model="nano_banana", outcome="done") == 2
        assert await process.value("lightwork_images_finished_total", model="nano_banana", state="COMPLETED") == 2
        assert await process.value("lightwork_cost_dollars_total", model="nano_banana") == 2 * 0.0336
        calls = metrics["lightwork_call_seconds"].samples
        assert calls["lightwork_call_seconds_count", frozenset({("model", "nano_banana")})] == 2
        assert await process.value("lightwork_database_up") == 1
        assert "Anna" not in (await process.get("metrics"))[1]
        assert str(tmp_path) not in (await process.get("metrics"))[1]


async def test_what_is_in_flight_and_what_waits_is_seen_while_it_is_so(tmp_path: Path) -> None:
    async with (
        GeminiServer() as server,
        service(tmp_path, url=server.url, model="nano_banana", concurrency=2) as process,
    ):
        server.default = Hang()
        for number in range(10):
            process.drop(f"{number}.jpg", photo(number))
        await process.until(lambda: server.posts == 2)
        assert await process.value("lightwork_calls_in_flight", **NANO) == 2

        async def all_are_seen() -> bool:
            images = (await process.metrics())["lightwork_images"].samples.values()
            return sum(images) == 10

        await process.until(all_are_seen)
        assert await process.value("lightwork_images", state="PENDING", model="nano_banana") == 6
        assert await process.value("lightwork_images", state="PROCESSING", model="nano_banana") == 4
        assert 0 < await process.value("lightwork_oldest_waiting_seconds") < 60


async def test_a_closed_gate_is_seen_with_its_kind(tmp_path: Path) -> None:
    async with GeminiServer() as server, service(tmp_path, url=server.url, model="nano_banana") as process:
        server.default = Throttle(quota="GenerateRequestsPerDayPerProjectPerModel")
        process.drop("a.jpg", photo(1))
        await process.until_said("waits until")

        async def is_seen() -> bool:
            return await process.value("lightwork_gate_closed_seconds", **NANO, kind="day") > 0

        await process.until(is_seen)
        assert await process.value("lightwork_attempts_total", model="nano_banana", outcome="rate_limited") == 1


async def test_a_service_that_stops_is_not_ready_and_says_so_until_the_end(tmp_path: Path) -> None:
    async with GeminiServer() as server, service(tmp_path, url=server.url, model="nano_banana") as process:
        server.default = Hang()
        process.drop("a.jpg", photo(1))
        await process.until(lambda: server.posts == 1)
        process.process.send_signal(signal.SIGTERM)
        await process.until_said("stopping")
        assert await process.get("readyz") == (503, "LightWork is stopping\n")
        assert (await process.get("livez"))[0] == 200
        assert await process.stop() == 130


def connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=20)


async def test_silent_connections_use_up_nothing_and_all_goes_on(tmp_path: Path) -> None:
    async with service(tmp_path) as process:
        with ExitStack() as closing:
            silent = [closing.enter_context(connected(process.port)) for _ in range(100)]
            for one in silent[:60]:
                assert await asyncio.to_thread(one.recv, 1) == b""  # it was closed to make room
            assert await process.get("livez") == (200, "ok\n")
            process.drop("a.jpg", photo(1))
            await process.until(lambda: process.results())


async def test_a_port_in_use_is_told_in_a_sentence_before_any_work(tmp_path: Path) -> None:
    process = Service(tmp_path)
    with socket.create_server(("127.0.0.1", process.port)):
        await process.start()
        async with asyncio.timeout(20):
            assert await process.process.wait() == 2
    assert f'[ops] listen = "127.0.0.1:{process.port}" cannot be had: another program uses it.' in process.log()
    assert "Traceback" not in process.log()
    assert "watching" not in process.log()


async def test_what_is_no_address_is_refused_with_its_line(tmp_path: Path) -> None:
    process = Service(tmp_path)
    process.config.write_text('[ops]\nlisten = "9464"\n')
    await process.start()
    async with asyncio.timeout(20):
        assert await process.process.wait() == 2
    assert 'line 2: [ops] listen = "9464" is not a host and a port, such as "127.0.0.1:9464".' in process.log()
