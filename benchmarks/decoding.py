"""Decodes all photos of a folder at once. Says a line when it is ready and when it is done, and waits for one between.

Run as `python -m benchmarks.decoding naive|ours PHOTOS`.
"""

import asyncio
import io
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import Image

from engine.decoder import Decoder
from engine.photo import Limits

EDGE = 2048
PREVIEW_EDGE = 1024


def naive(path: Path) -> bytes:
    """Load, scale down, encode: what a script does."""
    with Image.open(path) as photo:
        photo.load()
        photo.thumbnail((EDGE, EDGE))
        encoded = io.BytesIO()
        photo.save(encoded, "JPEG")
    return encoded.getvalue()


def decode_naively(photos: list[Path]) -> None:
    """All at once, each in a thread of its own."""
    with ThreadPoolExecutor(len(photos)) as threads:
        list(threads.map(naive, photos))


async def decode(photos: list[Path]) -> None:
    """All at once, as the engine does."""
    decoder = Decoder()
    calls = [decoder.prepare(path, sha256="", limits=Limits(), edge=EDGE, preview_edge=PREVIEW_EDGE) for path in photos]
    await asyncio.gather(*calls)
    await decoder.aclose()


if __name__ == "__main__":
    how, photos = sys.argv[1], sorted(Path(sys.argv[2]).iterdir())
    print("ready", flush=True)
    sys.stdin.readline()
    if how == "naive":
        decode_naively(photos)
    else:
        asyncio.run(decode(photos))
    print("done", flush=True)
