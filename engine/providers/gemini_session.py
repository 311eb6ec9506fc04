"""The HTTP session of the Gemini service: our own, because the SDK's cannot be closed for certain and warns when made.

Importing this imports aiohttp, which takes long.
"""

import aiohttp

READ_BUFFER = 1 << 20
# The largest picture, 4K in PNG, is some 50 MB, and a third more in base64.
LONGEST_ANSWER = 128 << 20


class AnswerTooLong(aiohttp.ClientError):
    """What answers is not the service, or is out of its mind."""


class _Response(aiohttp.ClientResponse):
    async def read(self) -> bytes:
        """The body, unpacked. Raises `AnswerTooLong` before it fills the memory, as a few packed MB can."""
        if self._body is None:
            try:
                self._body = await self._bounded()
            except BaseException:
                self.close()
                raise
        return await super().read()

    async def _bounded(self) -> bytes:
        chunks, length = list[bytes](), 0
        async for chunk in self.content.iter_any():
            chunks.append(chunk)
            length += len(chunk)
            if length > LONGEST_ANSWER:
                raise AnswerTooLong
        return b"".join(chunks)


def new_session() -> aiohttp.ClientSession:
    """To be closed by who asked for it."""
    connector = aiohttp.TCPConnector(limit=0)
    return aiohttp.ClientSession(
        connector=connector, trust_env=True, read_bufsize=READ_BUFFER, response_class=_Response
    )
