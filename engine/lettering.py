"""Fonts for writing on pictures."""

import functools

from PIL import ImageFont

# Tried in turn where Pillow's own font lacks a letter; it knows little beyond English.
SYSTEM_FONTS = (
    "DejaVuSans.ttf",
    "NotoSans-Regular.ttf",
    "LiberationSans-Regular.ttf",
    "Arial Unicode.ttf",
    "arial.ttf",
)
NO_SUCH_LETTER = "\uffff"
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def font_for(text: str, size: int) -> Font:
    """The first font that has all letters of the text, else Pillow's own, which shows a box for each unknown one."""
    fonts = _fonts(size)
    return next((font for font in fonts if _has_all_letters(font, text)), fonts[0])


@functools.lru_cache(maxsize=8)
def _fonts(size: int) -> list[Font]:
    fonts: list[Font] = [ImageFont.load_default(size)]
    for name in SYSTEM_FONTS:
        try:
            fonts.append(ImageFont.truetype(name, size))
        except OSError:
            continue
    return fonts


def _has_all_letters(font: Font, text: str) -> bool:
    missing = bytes(font.getmask(NO_SUCH_LETTER))
    return all(letter.isspace() or bytes(font.getmask(letter)) != missing for letter in text)
