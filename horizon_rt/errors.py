"""The errors that a caller can meet; each message is one line that says what to do.

HorizonError
├── SourceError          a camera, stream, file or folder that cannot be opened or read
│   ├── SourceNotFound   nothing is there
│   └── DecodeError      it is there, but holds no pictures that can be decoded
├── OutputError          a file or folder that cannot be written
├── CameraModelError     a lens model or profile that is wrong or unreadable
├── CalibrationError     a calibration that did not succeed
├── OptionsError         options that are unknown or contradict each other (a ValueError, too)
├── WeightsError         a weights file that is missing or does not match its manifest
├── DeviceError          a compute device that was asked for and is not there
├── DatasetError         a dataset folder that does not follow the format
├── DetectionsError      a file of boxes that is wrong or unreadable
├── TrainingError        a training run that is described wrongly
└── MissingExtra         a package that is installed on request only, and was not
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = [
    "CalibrationError",
    "CameraModelError",
    "DatasetError",
    "DecodeError",
    "DetectionsError",
    "DeviceError",
    "HorizonError",
    "MissingExtra",
    "OptionsError",
    "OutputError",
    "SourceError",
    "SourceNotFound",
    "TrainingError",
    "WeightsError",
]


class HorizonError(Exception):
    """Base of all errors raised on purpose by this package."""


class SourceError(HorizonError):
    """A source cannot be opened or read."""


class SourceNotFound(SourceError):
    """There is nothing at the given address."""


class DecodeError(SourceError):
    """The source exists but no picture can be decoded from it."""


class OutputError(HorizonError):
    """An output cannot be written."""


class CameraModelError(HorizonError):
    """A camera model or profile is invalid."""


class CalibrationError(HorizonError):
    """A lens calibration did not succeed."""


class OptionsError(HorizonError, ValueError):
    """An option is unknown, or options contradict each other."""


class WeightsError(HorizonError):
    """A weights file is missing, damaged or does not match its manifest."""


class DeviceError(HorizonError):
    """A compute device was asked for and is not there."""


class DatasetError(HorizonError):
    """A dataset folder does not follow the format."""


class DetectionsError(HorizonError):
    """A file of boxes is wrong or unreadable."""


class TrainingError(HorizonError):
    """A training run is described wrongly."""


class MissingExtra(HorizonError):
    """`what` needs modules of an extra that are not installed."""

    def __init__(self, extra: str, what: str, modules: Sequence[str]) -> None:
        super().__init__(f"{what} needs {' and '.join(modules)}: pip install 'horizon-rt[{extra}]'")
        self.extra = extra
        self._made_of = extra, what, tuple(modules)

    def __reduce__(self) -> tuple[type[MissingExtra], tuple[str, str, tuple[str, ...]]]:
        """As workers hand errors over."""
        return type(self), self._made_of
