"""Inputs that are almost right: where parsers go wrong."""

import random
from collections.abc import Sequence

LONGEST = 200_000
NUMBERS = (0, 1, 7, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF)
HOW_OFTEN = (1, 1, 1, 2, 2, 3, 5, 8)


def mutated(rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """One of the seeds, changed in one to eight ways."""
    data = bytearray(rng.choice(seeds))
    for _ in range(rng.choice(HOW_OFTEN)):
        rng.choice(CHANGES)(rng, data, seeds)
    return bytes(data[:LONGEST])


def _flip(rng: random.Random, data: bytearray, _seeds: Sequence[bytes]) -> None:
    if data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _flip_in_head(rng: random.Random, data: bytearray, _seeds: Sequence[bytes]) -> None:
    if data:
        data[rng.randrange(min(64, len(data)))] = rng.randrange(256)


def _number(rng: random.Random, data: bytearray, _seeds: Sequence[bytes]) -> None:
    """Sizes, offsets and lengths that are a lie."""
    at, width = rng.randrange(len(data) + 1), rng.choice((1, 2, 4))
    number = rng.choice((*NUMBERS, len(data), rng.randrange(1 << 32))) % (1 << (8 * width))
    data[at : at + width] = number.to_bytes(width, rng.choice(("big", "little")))


def _cut_end(rng: random.Random, data: bytearray, _seeds: Sequence[bytes]) -> None:
    del data[rng.randrange(len(data) + 1) :]


def _cut_out(rng: random.Random, data: bytearray, _seeds: Sequence[bytes]) -> None:
    at, to = sorted(rng.randrange(len(data) + 1) for _ in range(2))
    del data[at:to]


def _repeat(rng: random.Random, data: bytearray, _seeds: Sequence[bytes]) -> None:
    at, to = sorted(rng.randrange(len(data) + 1) for _ in range(2))
    data[to:to] = data[at:to] * rng.choice((1, 1, 2, 20))
    del data[LONGEST:]


def _blank(rng: random.Random, data: bytearray, _seeds: Sequence[bytes]) -> None:
    at, to = sorted(rng.randrange(len(data) + 1) for _ in range(2))
    data[at:to] = bytes([rng.choice((0, 0xFF, 0x20, 0x41))]) * (to - at)


def _nest(rng: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    """A picture in a picture, a table in a table."""
    at = rng.randrange(len(data) + 1)
    data[at:at] = rng.choice(seeds)


def _splice(rng: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    """The beginning of one, the end of another."""
    other = rng.choice(seeds)
    data[rng.randrange(len(data) + 1) :] = other[rng.randrange(len(other) + 1) :]


CHANGES = (_flip, _flip, _flip_in_head, _number, _number, _cut_end, _cut_out, _repeat, _blank, _nest, _splice)
