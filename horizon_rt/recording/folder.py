"""The folder of a recording: names by the time of day, what a killed run left, and how much room there is."""

from __future__ import annotations

import errno
import logging
import os
import re
import shutil
from collections import deque
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from horizon_rt.system.files import output_error, own_folder, partial_of

__all__ = ["RecordingFolder"]

_log = logging.getLogger(__name__)

_NAME = re.compile(
    r"(?P<stem>(?P<time>\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}Z)(-(?P<number>\d+))?)"
    r"\.(mp4|jsonl)(?P<partial>\.partial)?"
)
_RESERVE_BYTES, _RESERVE_SHARE = 500_000_000, 0.05  # of the disk; the less of both stays free


class RecordingFolder:
    """Knows the segments of a folder, in the order of their recording, and nothing else that lies there.

    It is this run's own until it is closed. What a killed run left gets its final name. Raises OutputError.
    """

    def __init__(self, path: Path, keep_bytes: int | None) -> None:
        self.path, self._keep = path, keep_bytes
        self._opened = ExitStack()
        self._opened.enter_context(own_folder(path))
        try:
            self._stems = deque(self._found())
        except OSError as error:
            self.close()
            raise output_error(path, error) from error

    def close(self) -> None:
        """Leave the folder to other runs."""
        self._opened.close()

    def begin(self, when: datetime) -> tuple[Path, Path]:
        """Names for video and telemetry of a segment that begins at this time, which nobody bears."""
        time = f"{when.astimezone(UTC):%Y-%m-%dT%H-%M-%S.%f}"[:-3] + "Z"
        stem, number = time, 1
        while any(map(os.path.lexists, self._files(stem))):
            number += 1
            stem = f"{time}-{number}"
        self._stems.append(stem)
        video, telemetry = self._names(stem)
        return video, telemetry

    def settle(self) -> None:
        """Give what the newest segment left under partial names its final ones; raises OSError."""
        if self._stems:
            self._settle(self._stems[-1])

    def make_room(self) -> None:
        """Delete the oldest segments beyond what shall be kept, but never the newest; one that cannot be
        deleted is told of and left.

        Raises OSError where the disk is full but for a reserve.
        """
        if self._keep is not None:
            sizes = {stem: self._size(stem) for stem in self._stems}
            while sum(sizes.values()) > self._keep and len(self._stems) > 1:
                del sizes[self._stems[0]]
                self._delete(self._stems.popleft())
        disk = shutil.disk_usage(self.path)
        if disk.free < min(_RESERVE_BYTES, _RESERVE_SHARE * disk.total):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _delete(self, stem: str) -> None:
        for file in self._files(stem):
            try:
                file.unlink(missing_ok=True)
            except OSError as error:
                _log.warning("%s cannot be deleted: %s", file, error.strerror)

    def _found(self) -> list[str]:
        """The stems of what lies there, by time and number, with whole names."""
        matches = [match for path in os.listdir(self.path) if (match := _NAME.fullmatch(path))]
        for stem in {match["stem"] for match in matches if match["partial"]}:
            self._settle(stem)
        stems = {match["stem"]: (match["time"], int(match["number"] or 1)) for match in matches}
        return sorted(stems, key=stems.__getitem__)

    def _settle(self, stem: str) -> None:
        for whole in self._names(stem):
            part = partial_of(whole)
            if not part.exists():
                continue
            if whole.suffix == ".jsonl":
                _cut_to_lines(part)
            if part.stat().st_size:
                part.replace(whole)
            else:
                part.unlink()

    def _names(self, stem: str) -> tuple[Path, Path]:
        return self.path / f"{stem}.mp4", self.path / f"{stem}.jsonl"

    def _files(self, stem: str) -> list[Path]:
        return [file for whole in self._names(stem) for file in (whole, partial_of(whole))]

    def _size(self, stem: str) -> int:
        total = 0
        for file in self._files(stem):
            try:
                total += file.stat().st_size
            except FileNotFoundError:
                continue
        return total


def _cut_to_lines(path: Path) -> None:
    """Leave out a last line that is not whole."""
    with path.open("rb+") as file:
        size = file.seek(0, os.SEEK_END)
        start = max(0, size - (1 << 20))
        file.seek(start)
        whole = start + file.read().rfind(b"\n") + 1
        if whole < size:
            file.truncate(whole)
