"""S3 for tests: moto's server, a bucket of one's own in it, and a line to it that can be cut."""

import asyncio
import io
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.request import Request, urlopen

import boto3
from aiohttp import ClientSession, web
from moto.server import ThreadedMotoServer
from yarl import URL

KEY_ID, SECRET, REGION = "test-key-id", "test-secret-key", "eu-central-1"


@contextmanager
def moto() -> Iterator[str]:
    """The address of a server that lives as long as the context."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


class Bucket:
    """A bucket, seen with Amazon's own client."""

    def __init__(self, url: str, name: str) -> None:
        self.url = url
        self.name = name
        self._client: Any = boto3.client(
            "s3", endpoint_url=url, region_name=REGION, aws_access_key_id=KEY_ID, aws_secret_access_key=SECRET
        )

    def make(self) -> None:
        self._client.create_bucket(Bucket=self.name, CreateBucketConfiguration={"LocationConstraint": REGION})

    def remove(self) -> None:
        for key in self.listed():
            self._client.delete_object(Bucket=self.name, Key=key)
        self._client.delete_bucket(Bucket=self.name)

    def listed(self, prefix: str = "") -> set[str]:
        """The keys below a prefix, all of them."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix)
        return {one["Key"] for page in pages for one in page.get("Contents", ())}

    def read(self, key: str) -> bytes:
        data: bytes = self._client.get_object(Bucket=self.name, Key=key)["Body"].read()
        return data

    def write(self, key: str, data: bytes) -> None:
        self._client.put_object(Bucket=self.name, Key=key, Body=data)

    def keep_versions(self) -> None:
        """From now on what is deleted can be brought back."""
        self._client.put_bucket_versioning(Bucket=self.name, VersioningConfiguration={"Status": "Enabled"})

    def bring_back(self, prefix: str) -> None:
        """Undo every deletion below a prefix."""
        for marker in self._client.list_object_versions(Bucket=self.name, Prefix=prefix).get("DeleteMarkers", ()):
            self._client.delete_object(Bucket=self.name, Key=marker["Key"], VersionId=marker["VersionId"])

    def uploads(self) -> int:
        """How many uploads in parts were begun and not ended."""
        return len(self._client.list_multipart_uploads(Bucket=self.name).get("Uploads", ()))


@contextmanager
def signatures_are_checked(url: str) -> Iterator[None]:
    """From now on moto knows nobody: every key is a wrong one."""
    try:
        _count_requests_without_checks(url, 0)
        yield
    finally:
        _count_requests_without_checks(url, 2**31)


def _count_requests_without_checks(url: str, number: int) -> None:
    told = str(number).encode()
    with urlopen(Request(f"{url}/moto-api/reset-auth", told, {"Content-Type": "text/plain"})):  # noqa: S310 - loopback
        pass


@dataclass
class Line:
    """A line to a server. `trouble` is what every request meets: "", "503", "hang", "cut" or "down".

    "cut" ends an answer after half of its body; "down" closes the line before any answer.
    """

    url: str
    trouble: str = ""
    seen: list[str] = field(default_factory=list)
    _freed: asyncio.Event = field(default_factory=asyncio.Event)

    def mend(self) -> None:
        self.trouble = ""
        self._freed.set()

    async def met(self, trouble_times: int = 1) -> None:
        """Wait until that many requests have met the trouble."""
        before = len(self.seen)
        while len(self.seen) < before + trouble_times:  # noqa: ASYNC110 - a server's list rings no bell
            await asyncio.sleep(0.01)


@asynccontextmanager
async def line_to(url: str) -> AsyncIterator[Line]:
    """A proxy before the server at `url`."""
    async with ClientSession(auto_decompress=False) as session:
        line = Line("")

        async def answer(request: web.Request) -> web.StreamResponse:
            body, trouble = await request.read(), line.trouble
            line.seen.append(f"{request.method} {request.path}")
            if trouble == "hang":
                await line._freed.wait()
            if trouble == "503":
                return web.Response(status=503, text="<Error><Code>SlowDown</Code></Error>")
            if trouble in ("down", "hang"):
                request.transport.abort()  # type: ignore[union-attr]
                return web.Response()
            target = URL(f"{url}{request.raw_path}", encoded=True)
            headers = {name: value for name, value in request.headers.items() if name != "Transfer-Encoding"}
            async with session.request(request.method, target, data=io.BytesIO(body), headers=headers) as found:
                return await _handed_on(request, found, cut=trouble == "cut")

        runner = web.AppRunner(_app(answer), access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        line.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield line
        finally:
            line.mend()
            await runner.cleanup()


def _app(answer: Any) -> web.Application:
    app = web.Application(client_max_size=2**30)
    app.router.add_route("*", "/{path:.*}", answer)
    return app


async def _handed_on(request: web.Request, found: Any, *, cut: bool) -> web.StreamResponse:
    data = await found.read()
    kept = ("content-type", "etag", "last-modified", "content-range", "content-length")
    headers = {name: value for name, value in found.headers.items() if name.lower() in kept}
    response = web.StreamResponse(status=found.status, headers=headers)
    await response.prepare(request)
    if request.method == "HEAD":
        return response
    await response.write(data[: len(data) // 2] if cut else data)
    if cut:
        request.transport.abort()  # type: ignore[union-attr]
    else:
        await response.write_eof()
    return response
