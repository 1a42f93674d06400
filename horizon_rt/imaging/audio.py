"""The sound of the source next to the new pictures: each of its tracks."""

from __future__ import annotations

import logging
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from horizon_rt.imaging.audio_track import SOUND_ERRORS, AudioTrack
from horizon_rt.imaging.opening import describe, open_input
from horizon_rt.system.units import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from av.container import InputContainer, OutputContainer
    from av.packet import Packet

__all__ = ["AudioCopy"]

log = logging.getLogger(__name__)


class AudioCopy:
    """All sound tracks of a file, each as an `AudioTrack`, from `from_s` seconds of its video on.

    Subtitles and data are not kept: a warning says so of subtitles, and a line of information of data.
    """

    def __init__(self, path: Path | str, *, from_s: float = 0.0) -> None:
        """Nothing is opened before `attach`."""
        self._path, self._from_s = path, from_s
        self._tracks: list[AudioTrack] = []

    def attach(self, container: OutputContainer) -> None:
        """Add the tracks to an output that has not begun, as far as that output can hold them."""
        try:
            with open_input(self._path) as source:
                count = len(source.streams.audio)
                _tell_of_others(self._path, source)
        except SOUND_ERRORS as error:
            log.warning("the sound of %s is left out: %s", self._path, describe(error))
            return
        for index in range(count):
            name = "the sound" if count == 1 else f"sound track {index + 1}"
            track = AudioTrack(self._path, index, name=f"{name} of {self._path}", from_s=self._from_s)
            self._tracks.append(track)
            track.attach(container)

    def until(self, time_s: float) -> Iterator[Packet[Any]]:
        """Packets of the output's tracks that start before this time and were not given yet."""
        return chain.from_iterable(track.until(time_s) for track in self._tracks)

    def end(self, reason: str) -> bool:
        """Give no more packets, with a warning; false where the sound has ended before."""
        return sum(track.end(reason) for track in self._tracks) > 0

    def close(self) -> None:
        """Let go of the input file."""
        for track in self._tracks:
            track.close()


def _tell_of_others(path: Path | str, source: InputContainer) -> None:
    """Data, such as the telemetry of an action camera, is nothing that a viewer misses."""
    subtitles, data = len(source.streams.subtitles), len(source.streams.data)
    for level, count, kind in ((logging.WARNING, subtitles, "subtitle"), (logging.INFO, data, "data")):
        if count:
            verb = "is" if count == 1 else "are"
            log.log(level, "%s: %s %s left out of the video", path, counted(count, f"{kind} track"), verb)
