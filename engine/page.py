"""A page of the report: template, style and script become one HTML file that needs nothing beside its previews.

What it says about a job is in `engine.report`; here is how texts, links and times are written.
"""

import hashlib
import os
from base64 import b64encode
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
from markupsafe import Markup

from engine.money import dollars

ASSETS = Path(__file__).with_name("assets")


def render(**values: Any) -> bytes:
    """The page as UTF-8. Every value is escaped, and the page's own policy lets no script but ours run."""
    return _template().render(**values).encode("utf-8", "replace")


def model_label(row: dict[str, Any]) -> str:
    """The model as people know it; work without an image model always says so."""
    return "local (no image model)" if row["provider"] == "local" else row["model"]


def link(path: str) -> str:
    """A relative path as a link: never a scheme, a host, a query or a fragment, whatever the path contains."""
    return "./" + quote(os.fsencode(path))


def duration(seconds: float) -> str:
    """Seconds for people: "4.2 s", "3 min 5 s", "2 h 14 min"."""
    if round(seconds, 1) < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def _elapsed(span: timedelta) -> str:
    return duration(span.total_seconds())


def _moment(time: datetime) -> str:
    return f"{time.day} {time:%B %Y, %H:%M %Z}".rstrip()


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True,
        loader=jinja2.FileSystemLoader(ASSETS),
        lstrip_blocks=True,
        trim_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    filters = {"dollars": dollars, "duration": duration, "elapsed": _elapsed, "link": link, "moment": _moment}
    environment.filters |= filters | {"model_label": model_label}
    return environment.get_template("report.html.j2", globals=_inlined("style", "css") | _inlined("script", "js"))


def _inlined(name: str, suffix: str) -> dict[str, Markup]:
    """The asset itself, and the hash by which the page's content security policy allows it and nothing else."""
    text = (ASSETS / f"report.{suffix}").read_text(encoding="utf-8")
    digest = b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return {name: Markup(text), f"{name}_hash": Markup(f"'sha256-{digest}'")}  # noqa: S704 - our own files
