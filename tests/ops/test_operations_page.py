"""docs/operations.md, deploy/alerts.yml and what is really served are about the same metrics."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml
from hot_folder import photo
from servers.gemini import GeminiServer
from servers.gemini_behaviours import Fail
from service import service

from engine.retry import PROBE_MISCONFIGURED
from engine.secrets import VARIABLES

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "operations.md").read_text("utf-8")
RULES: list[dict[str, Any]] = yaml.safe_load((ROOT / "deploy" / "alerts.yml").read_text("utf-8"))["groups"][0]["rules"]
ROW = re.compile(r"^\| `(lightwork_\w+)` \| (\w+) \| ([\w, ]*)\| .+ \|$", re.MULTILINE)
SUFFIXES = ("_bucket", "_sum", "_count")
DOCUMENTED = {name: (kind, {*filter(None, re.split(r"[, ]+", labels))}) for name, kind, labels in ROW.findall(PAGE)}


async def test_the_table_names_exactly_what_is_served(tmp_path: Path) -> None:
    """With work done, work that waits, and a closed gate."""
    async with GeminiServer() as server, service(tmp_path, url=server.url, model="nano_banana") as process:
        process.drop("a.jpg", photo(1))
        await process.until(lambda: process.manifests())
        server.default = Fail(status=404, code="NOT_FOUND")
        process.drop("b.jpg", photo(2))
        await process.until_said("waits until")

        async def the_gate_is_seen() -> bool:
            gate = (await process.metrics())["lightwork_gate_closed_seconds"]
            return bool(gate.samples)

        await process.until(the_gate_is_seen)
        served = {name: family for name, family in (await process.metrics()).items() if name.startswith("lightwork_")}
    assert served.keys() == DOCUMENTED.keys()
    for name, family in served.items():
        kind, labels = DOCUMENTED[name]
        having = {label for _, pairs in family.samples for label, _ in pairs} - {"le"}
        assert (family.type, having) == (kind, labels if family.samples else set()), name


def test_every_alert_asks_for_metrics_that_exist_and_says_what_to_do() -> None:
    for rule in RULES:
        assert rule.keys() <= {"alert", "expr", "for", "labels", "annotations"}
        named = re.findall(r"lightwork_\w+|\bup\b", rule["expr"])
        assert named, rule
        for name in named:
            bare = next((name.removesuffix(s) for s in SUFFIXES if name.endswith(s)), name)
            assert bare in DOCUMENTED or name == "up", name
        for label in re.findall(r"(\w+)=~?\"", rule["expr"]):
            assert label in {"job"} | {one for _, labels in DOCUMENTED.values() for one in labels}, rule
        assert rule["expr"].count("(") == rule["expr"].count(")")
        assert re.fullmatch(r"\d+[smh]", rule.get("for", "1m"))
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert rule["annotations"].keys() == {"summary", "action"}


def test_an_alert_outlasts_the_trials_during_which_a_gate_is_open() -> None:
    (rule,) = (rule for rule in RULES if rule["alert"] == "LightWorkNeedsSomebody")
    (minutes,) = re.findall(r"max_over_time\(lightwork_gate_closed_seconds\{[^}]*\}\[(\d+)m\]\) > 0", rule["expr"])
    assert timedelta(minutes=int(minutes)) >= 2 * PROBE_MISCONFIGURED


def test_keys_in_files_that_the_unit_names_are_keys_that_it_loads() -> None:
    unit = (ROOT / "deploy" / "lightwork.service").read_text("utf-8")
    named = dict(re.findall(r"^#?Environment=(\w+)_FILE=%d/(\w+)$", unit, re.MULTILINE))
    assert {"GEMINI_API_KEY", "TELEGRAM_BOT_TOKEN"} <= named.keys() <= {*VARIABLES}
    assert sorted(named.values()) == sorted(re.findall(r"^#?LoadCredential=(\w+):/\S+$", unit, re.MULTILINE))


def test_the_page_lists_every_alert() -> None:
    assert re.findall(r"^\| `(LightWork\w+)`", PAGE, re.MULTILINE) == [rule["alert"] for rule in RULES]
