"""A server that speaks the image part of the Gemini API on loopback, and misbehaves on request.

In a test:   async with GeminiServer([Throttle(delay="21.5s")]) as server: ... server.url, server.requests
On its own:  python -m servers.gemini --port 0 --delay 2 --no-echo     (from tests/; prints its address first)
             POST /_plan {"plan": [{"do": "throttle", "delay": "21.5s"}], "default": {"do": "hang"}};  GET /_requests

Each request takes the next behaviour of the plan; when the plan is empty `rule` decides, then `default`.
"""

import argparse
import asyncio
import dataclasses
import gzip
import json
from collections import deque
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from servers import gemini_pictures, gemini_wire
from servers.gemini_behaviours import (
    GONE,
    NO_KEY,
    Answer,
    Behaviour,
    Bomb,
    Cut,
    Delay,
    Fail,
    Hang,
    Raw,
    Refuse,
    SlowDrip,
    Throttle,
    Truncated,
    from_json,
)
from servers.gemini_wire import BadRequest, Received, picture_part

LARGEST_BODY = 150_000_000
PIECES = 100


class GeminiServer:
    """One server. With `echo` the picture is made from the first input, else there is one per size and aspect.

    `posts` counts every POST whose head arrived, `requests` holds those that were read to their end and understood,
    `abandoned` counts clients that left before their answer, `connections` the lines that were used; `arrived` and
    `left` are set by the first of each. `date` replaces the Date header, by which the service tells its time.
    """

    def __init__(
        self,
        plan: Iterable[Behaviour] = (),
        *,
        default: Behaviour | None = None,
        rule: Callable[[Received], Behaviour | None] = lambda _: None,
        port: int = 0,
        delay: float = 0.0,
        echo: bool = True,
        keep_inputs: bool = True,
        date: str = "",
    ) -> None:
        self.plan = deque(plan)
        self.default: Behaviour = default or Answer()
        self.rule = rule
        self.requests: list[Received] = []
        self.checks: list[str] = []
        self.date = date
        self.posts = self.abandoned = 0
        self.connections: set[object] = set()
        self.arrived, self.left = asyncio.Event(), asyncio.Event()
        self.url = ""
        self._port, self._delay, self._echo, self._keep_inputs = port, delay, echo, keep_inputs
        self._runner = web.AppRunner(self._app(), handler_cancellation=True, shutdown_timeout=0.1, access_log=None)

    def _app(self) -> web.Application:
        app = web.Application(client_max_size=LARGEST_BODY)
        app.on_response_prepare.append(self._set_date)
        app.router.add_post("/{version:v1|v1beta}/models/{model}:generateContent", self._generate)
        app.router.add_get("/{version:v1|v1beta}/models/{model}", self._model)
        app.router.add_post("/_plan", self._set_plan)
        app.router.add_get("/_requests", self._list_requests)
        return app

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        self.url = "http://{}:{}".format(*self._runner.addresses[0][:2])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()

    async def _set_date(self, _: web.Request, response: web.StreamResponse) -> None:
        if self.date:
            response.headers["Date"] = self.date

    async def _generate(self, request: web.Request) -> web.StreamResponse:
        self.posts += 1
        self.connections.add(request.transport)
        if not request.headers.get("x-goog-api-key"):
            return _failed(NO_KEY)
        body = await request.read()
        try:
            received = gemini_wire.read_request(
                request.match_info["model"], request.headers, body, keep_inputs=self._keep_inputs
            )
        except BadRequest as bad:
            return _failed(Fail(400, "INVALID_ARGUMENT", str(bad)))
        except LookupError:
            return _failed(GONE)
        self.requests.append(received)
        self.arrived.set()
        do = self.plan.popleft() if self.plan else self.rule(received) or self.default
        try:
            await asyncio.sleep(do.seconds if isinstance(do, Delay) else self._delay)
            return await self._behave(request, received, do)
        except asyncio.CancelledError:
            self.abandoned += 1
            self.left.set()
            raise

    async def _behave(self, request: web.Request, received: Received, do: Behaviour) -> web.StreamResponse:
        match do:
            case Throttle():
                return _throttled(do)
            case Fail():
                return _failed(do)
            case Raw():
                return web.Response(text=do.body, status=do.status, content_type=do.content_type)
            case Bomb():
                packed = await asyncio.to_thread(gzip.compress, bytes(1 << 20) * do.megabytes, 1)
                return web.Response(body=packed, headers={"Content-Encoding": "gzip"}, content_type="application/json")
            case Refuse():
                return web.json_response(_refused(do))
            case Hang():
                await asyncio.Event().wait()
            case Cut(where="request"):
                return _cut(request)
        parts = await self._parts(received, do)
        finish = do.finish if isinstance(do, Answer) else "STOP"
        body = json.dumps(gemini_wire.answer(parts, finish)).encode()
        if isinstance(do, SlowDrip | Cut):
            return await _dribble(request, body, do)
        return web.Response(body=body, content_type="application/json")

    async def _parts(self, received: Received, do: Behaviour) -> list[dict[str, Any]]:
        wish = do if isinstance(do, Answer) else Answer()
        if wish.parts:
            return list(wish.parts)
        data = wish.data if wish.data is not None else await self._picture(received, wish.media_type)
        if isinstance(do, Truncated):
            data = data[: len(data) // 2]
        part = picture_part(data, wish.declared or wish.media_type)
        if not wish.thoughts:
            return [part]
        draft = picture_part(gemini_pictures.blank("1K", "1:1", "image/png"), "image/png")
        return [{"text": "First I look at the light.", "thought": True}, {**draft, "thought": True}, part]

    async def _picture(self, received: Received, media_type: str) -> bytes:
        source = received.inputs[0].data if self._echo and received.inputs else b""
        if not source:
            return gemini_pictures.blank(received.size, received.aspect, media_type)
        return await asyncio.to_thread(gemini_pictures.edited, source, received.size, received.aspect, media_type)

    async def _model(self, request: web.Request) -> web.Response:
        model = request.match_info["model"]
        self.checks.append(model)
        match self.plan.popleft() if self.plan else None:
            case Fail() as do:
                return _failed(do)
            case Throttle() as do:
                return _throttled(do)
        if not request.headers.get("x-goog-api-key"):
            return _failed(NO_KEY)
        if model not in gemini_wire.MODELS:
            return _failed(GONE)
        return web.json_response({"name": f"models/{model}", "supportedGenerationMethods": ["generateContent"]})

    async def _set_plan(self, request: web.Request) -> web.Response:
        spec = await request.json()
        self.plan = deque(from_json(one) for one in spec.get("plan", []))
        if "default" in spec:
            self.default = from_json(spec["default"])
        return web.json_response({"plan": len(self.plan)})

    async def _list_requests(self, _: web.Request) -> web.Response:
        rows = [dataclasses.asdict(one) for one in self.requests]
        for row in rows:
            row["inputs"] = [{"media_type": each["media_type"], "size": each["size"]} for each in row["inputs"]]
        return web.json_response({"posts": self.posts, "abandoned": self.abandoned, "requests": rows})


def _failed(do: Fail) -> web.Response:
    headers = {"Retry-After": do.retry_after} if do.retry_after else {}
    return web.json_response(gemini_wire.failure(do), status=do.status, headers=headers)


def _throttled(do: Throttle) -> web.Response:
    headers = {"Retry-After": do.retry_after} if do.retry_after else {}
    return web.json_response(gemini_wire.throttled(do), status=429, headers=headers)


def _refused(do: Refuse) -> dict[str, Any]:
    if do.block:
        return gemini_wire.blocked(do.block, do.message)
    return gemini_wire.answer([{"text": do.text}] if do.text else [], do.finish, do.message)


def _cut(request: web.Request) -> web.Response:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def _dribble(request: web.Request, body: bytes, do: SlowDrip | Cut) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": str(len(body))})
    await response.prepare(request)
    step = len(body) // PIECES + 1
    for start in range(0, len(body), step):
        await response.write(body[start : start + step])
        if isinstance(do, SlowDrip):
            await asyncio.sleep(do.seconds)
        elif start > len(body) // 2:
            return _cut(request)
    return response


async def _serve(arguments: argparse.Namespace) -> None:
    server = GeminiServer(port=arguments.port, delay=arguments.delay, echo=arguments.echo, keep_inputs=arguments.echo)
    async with server:
        print(server.url, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="The protocol server in its own process.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--no-echo", dest="echo", action="store_false", help="one cheap picture per size and aspect")
    asyncio.run(_serve(parser.parse_args()))
