"""What LightWork is compared with: the script that one writes in ten minutes, with nothing around it.

Run as `python -m benchmarks.bare PHOTOS OUT URL CONCURRENCY`.
"""

import asyncio
import sys
from pathlib import Path

from google import genai
from google.genai import types

MODEL = "gemini-nano-banana-2.1"
PROMPT = "Retouch this photo the way an experienced photographer develops a raw file."


async def edit_all(photos: list[Path], out: Path, url: str, concurrency: int) -> None:
    """Send each photo as it is, and write what comes back."""
    once = types.HttpRetryOptions(attempts=1)
    client = genai.Client(api_key="benchmark", http_options=types.HttpOptions(base_url=url, retry_options=once))
    config = types.GenerateContentConfig(
        response_modalities=["TEXT", "IMAGE"], image_config=types.ImageConfig(aspect_ratio="4:3")
    )
    places = asyncio.Semaphore(concurrency)

    async def edit(photo: Path) -> None:
        async with places:
            data = photo.read_bytes()  # noqa: ASYNC240 - as such scripts do
            picture = types.Part.from_bytes(data=data, mime_type="image/jpeg")
            answer = await client.aio.models.generate_content(model=MODEL, contents=[picture, PROMPT], config=config)
        for part in answer.parts or []:
            if part.inline_data and part.inline_data.data:
                (out / photo.name).write_bytes(part.inline_data.data)

    async with asyncio.TaskGroup() as group:
        for photo in photos:
            group.create_task(edit(photo))
    await client.aio.aclose()


if __name__ == "__main__":
    photos, out, url, concurrency = sys.argv[1:]
    Path(out).mkdir(parents=True)
    asyncio.run(edit_all(sorted(Path(photos).iterdir()), Path(out), url, int(concurrency)))
