"""LightWork as it is, in a process that kills itself at a step.

Run as `python stepped_lightwork.py PROGRAM ARGUMENTS…`, PROGRAM being the installed `lightwork`. KILL_AT in the
environment names the step, as "EVENT MODULE:FUNCTION NUMBER": the so many-th "call" of that function (a coroutine's
going on counts as well), or "return" from it; "FUNCTION<CALLER" only where that one calls it. FUNCTION "*" is any
function of LightWork's. Nothing in LightWork knows of it: the interpreter tells of calls as it does to a debugger.
"""

import os
import runpy
import signal
import sys
import threading
from collections.abc import Callable
from importlib import import_module
from types import FrameType
from typing import Any

OURS = ("bot.", "engine.", "watcher.")
# Before anything is watched, as that makes it slow.
IMPORTED = ("bot.app", "engine.cli", "engine.app", "engine.commands.run", "google.genai.client", "watcher.app")

Told = Callable[[FrameType, str, Any], Any]


class Step:
    """Counts how often a step is met, and kills this process when it is enough."""

    def __init__(self, spec: str) -> None:
        self._event, where, number = spec.split()
        self._left = int(number)
        self._module, _, function = where.partition(":")
        self._function, _, self._caller = function.partition("<")

    def __call__(self, frame: FrameType, event: str, _: Any) -> Told | None:
        if event != "call" or not self._is_it(frame):
            return None
        if self._event == "call":
            self._count()
            return None
        frame.f_trace_lines = False
        return self._inside

    def _inside(self, _: FrameType, event: str, __: Any) -> Told:
        if event == "return":
            self._count()
        return self._inside

    def _count(self) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def _is_it(self, frame: FrameType) -> bool:
        if self._function == "*":
            return str(frame.f_globals.get("__name__")).startswith(OURS)
        if frame.f_code.co_qualname != self._function or frame.f_globals.get("__name__") != self._module:
            return False
        caller = frame.f_back.f_code.co_qualname if frame.f_back else ""
        return not self._caller or caller == self._caller


if __name__ == "__main__":
    sys.argv = sys.argv[1:]
    if spec := os.environ.get("KILL_AT"):
        for module in IMPORTED:
            import_module(module)
        step = Step(spec)
        threading.settrace(step)
        sys.settrace(step)
    runpy.run_path(sys.argv[0], run_name="__main__")
