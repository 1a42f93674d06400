"""Disks that fail at each write: `python benchmarks/write_faults.py --json FILE [--most N]`.

Commands that write are run once undisturbed, and all that they ask of the file system is counted: opening,
writing, flushing, renaming. Then each is run again with its k-th request refused, and all after it: disk full
(ENOSPC), broken (EIO), read-only (EROFS). It must end with exit code 1 and one line for each output that
cannot be written, without a traceback, and what bears its final name must be as in the undisturbed run.
`--most` takes so many of the requests, spread evenly. A live run may make fewer, and is then not refused any.
"""

from __future__ import annotations

import argparse
import errno
import io
import json
import logging
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from horizon_rt.bench.clips import write_clip
from horizon_rt.bench.machine import describe
from horizon_rt.cli import main as command_line
from horizon_rt.system import files

ERRORS = (errno.ENOSPC, errno.EIO, errno.EROFS)
NET = "--model nano --hfov 70"
COMMANDS = {
    "track": f"track {{clip}} --telemetry {{out}}/t.jsonl --overlay {{out}}/o.mp4 {NET}",
    "track offline": f"track {{clip}} --out {{out}} --smooth offline {NET}",
    "batch": f"batch {{clip}} --out {{out}} --write telemetry,overlay,srt,gcsv,report,thumbnails,level {NET}",
    "level": f"level {{clip}} {{out}}/l.mp4 --preview {{out}}/p.png {NET}",
    "convert": "convert {telemetry} {out}/a.srt {out}/a.vtt {out}/a.gcsv",
    "live": f"live {{clip}} --no-window --telemetry {{out}}/t.jsonl --overlay {{out}}/o.mp4 {NET}",
}
UNLIKE = {".html"}
"""Endings of files that say when they were made."""


class Disk:
    """Counts the requests to it, and refuses them from the `last`-th on."""

    def __init__(self, last: int | None = None, code: int = errno.EIO) -> None:
        self.count, self._last, self._code = 0, last, code

    def _ask(self) -> None:
        self.count += 1
        if self._last is not None and self.count > self._last:
            raise OSError(self._code, os.strerror(self._code))

    @contextmanager
    def mounted(self) -> Iterator[None]:
        """In the place of what `system.files` asks of the real one."""
        names = ("open_locked", "_write_all"), ("fsync", "replace")
        with (
            mock.patch.multiple(files, **{name: self._guarded(getattr(files, name)) for name in names[0]}),
            mock.patch.multiple(files.os, **{name: self._guarded(getattr(os, name)) for name in names[1]}),
        ):
            yield

    def _guarded(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(*arguments: Any) -> Any:
            self._ask()
            return call(*arguments)

        return guarded


def run(words: list[str], disk: Disk) -> tuple[int, str]:
    """Exit code and what is said."""
    said = io.StringIO()
    with disk.mounted(), redirect_stderr(said), redirect_stdout(io.StringIO()):
        try:
            command_line(words)
        except SystemExit as end:
            return (end.code if isinstance(end.code, int) else 0), said.getvalue()
    return 0, said.getvalue()


def contents(out: Path) -> dict[str, bytes]:
    """What bears its final name, but for notes beside it."""
    paths = [path for path in out.rglob("*") if path.is_file() and path.suffix != ".partial"]
    kept = [path for path in paths if ".horizon-rt" not in path.parts and path.suffix not in UNLIKE]
    return {str(path.relative_to(out)): path.read_bytes() for path in kept}


def verdict(code: int, said: str, calm: dict[str, bytes], now: dict[str, bytes], live: bool) -> str:
    """What is wrong; empty if nothing is."""
    lines = [line for line in said.splitlines() if "cannot write" in line or "cannot be written" in line]
    told = [line for line in lines if "the run goes on without it" not in line]  # told again at its end
    if code != 1:
        return f"exit code {code}"
    if "Traceback" in said:
        return "a traceback"
    if not told or len(told) > len(set(re.findall(r"cannot write (\S+):", "\n".join(told)))):
        return f"not a line for each output that cannot be written: {said!r}"
    if not live and any(calm.get(name) != data for name, data in now.items()):
        return "a file is not as it was"
    return ""


def measure(name: str, clip: str, telemetry: str, out: Path, most: int) -> dict[str, Any]:
    faults = list[str]()
    shutil.rmtree(out, ignore_errors=True)
    words = [word.format(clip=clip, out=out, telemetry=telemetry) for word in COMMANDS[name].split()]
    calm_disk, tried = Disk(), 0
    code, said = run(words, calm_disk)
    assert code == 0, said
    calm = contents(out)
    places = np.unique(np.linspace(0, calm_disk.count - 1, min(most, calm_disk.count)).round().astype(int))
    for number, place in enumerate(places.tolist()):
        for error in ERRORS if most >= calm_disk.count else ERRORS[number % len(ERRORS) :][:1]:
            shutil.rmtree(out, ignore_errors=True)
            disk = Disk(place, error)
            code, said = run(words, disk)
            if disk.count <= place and name == "live":
                continue
            tried += 1
            wrong = verdict(code, said, calm, contents(out), name == "live")
            if wrong:
                faults.append(f"request {place + 1}, {errno.errorcode[error]}: {wrong}")
    return {"requests": calm_disk.count, "tried": tried, "faults": faults}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--most", type=int, default=10**6)
    parser.add_argument("commands", nargs="*", default=list(COMMANDS))
    options = parser.parse_args()
    logging.disable(logging.NOTSET)
    found = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_clip(folder / "clip.mp4", (96, 64), 12)
        clip, telemetry = str(folder / "clip.mp4"), str(folder / "clip.jsonl")
        run(["track", clip, "--telemetry", telemetry, *NET.split()], Disk())
        for command in options.commands:
            found[command] = measure(command, clip, telemetry, folder / "outputs", options.most)
            print(command, json.dumps(found[command]), flush=True)
    if options.json:
        options.json.write_text(json.dumps({"machine": describe(), "commands": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
