"""Every option of a run, once: its name, its values, its default and its help.

The command line is made of these dataclasses (`cli.options.takes`), the telemetry header of their values, and
scripts pass them on. A new option is a field here and a line in the module that obeys it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import Field, dataclass, field, fields, is_dataclass
from typing import Annotated, Any, Literal, TypedDict, TypeVar, get_args, get_origin, get_type_hints

from horizon_rt.errors import OptionsError

__all__ = [
    "BATCH",
    "DEFAULT_FOCAL_SD",
    "DEFAULT_HFOV_DEG",
    "LARGEST_CRF",
    "LARGEST_HEIGHT_M",
    "WHOLE",
    "BackendChoice",
    "BackendName",
    "Codec",
    "DecoderChoice",
    "DeviceChoice",
    "EncodeOptions",
    "EncoderChoice",
    "Engine",
    "EngineFields",
    "Help",
    "Lens",
    "LiveOptions",
    "Motion",
    "Named",
    "Part",
    "Precision",
    "PrecisionChoice",
    "ProfileFormat",
    "RunOptions",
    "SceneKind",
    "Smoothing",
    "SourceFields",
    "from_flat",
    "given_options",
    "help_of",
    "mount_angles",
    "option_fields",
]

DEFAULT_HFOV_DEG = 70.0
DEFAULT_FOCAL_SD = 0.4
"""Standard deviation of the focal length where nothing is known of the lens, as a share of it."""
LARGEST_HEIGHT_M = 100_000.0
BATCH = 8
"""Frames of a recording that a GPU takes at a time; the next are prepared while it is busy with them."""

LARGEST_CRF = 51
"""The smallest quality on the scale of x264."""

Smoothing = Literal["causal", "offline", "none"]
DeviceChoice = Literal["auto", "cpu", "cuda"]
DecoderChoice = DeviceChoice
BackendName = Literal["torchscript", "onnx", "openvino"]
BackendChoice = Literal["auto", "torchscript", "onnx", "openvino"]
Precision = Literal["float32", "float16", "bfloat16"]
PrecisionChoice = Literal["auto", "float32", "float16", "bfloat16"]
Codec = Literal["auto", "h264", "hevc", "av1"]
ProfileFormat = Literal["toml", "opencv", "ros", "kalibr", "gyroflow"]
EncoderChoice = Literal["software", "hardware"]
Named = Literal["file", "name", "source"]
"""What a text names: a file ('-' is none), a name or else a file, or a source, which may be a file."""
SceneKind = Literal["sea", "storm", "coast", "fields", "town", "desert", "snow", "mountains"]
Motion = Literal["flight", "aerobatics", "boat", "rest"]
T = TypeVar("T")
_MOUNT_LIMITS_DEG = (180.0, 90.0, 180.0)
_EVERY = re.compile("key|[1-9][0-9]{0,8}")
_LAST_S = 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class Help:
    """What the command line says of a field; without it a field is no option there. `flag` is its name, if
    it is not that of the field; `metavar` stands for its value; `minimum` and `maximum` bound a number.
    `named` is what a text names, if it may be a path.
    """

    text: str
    flag: str | None = None
    metavar: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    named: Named | None = None


class EngineFields(TypedDict, total=False):
    """The fields of `Engine`, for functions that take them as keywords."""

    model: str | None
    device: DeviceChoice
    backend: BackendChoice
    precision: PrecisionChoice
    batch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """Which net runs, where and how. Raises OptionsError for an unknown choice."""

    model: Annotated[
        str | None,
        Help(text="A shipped model, or the folder of a trained one: PATH or PATH:NAME.", named="name"),
    ] = None
    device: Annotated[
        DeviceChoice, Help(text="Where the net runs; cuda is a GPU of NVIDIA, others are not used.")
    ] = "auto"
    backend: Annotated[
        BackendChoice, Help(text="What runs the net; auto: the fastest that is installed.")
    ] = "auto"
    precision: Annotated[
        PrecisionChoice,
        Help(text="Numbers that the net runs in; auto: float16 on a GPU, float32 on the CPU."),
    ] = "auto"
    batch: int = BATCH

    def __post_init__(self) -> None:
        _check_choices(self)

    @property
    def may_use_gpu(self) -> bool:
        """Whether these choices leave the net to a GPU, if there is one."""
        return self.device != "cpu" and self.backend in ("auto", "torchscript")

    def decoder(self, choice: DecoderChoice) -> DecoderChoice:
        """Where to decode for this net: 'auto' leaves a GPU alone that does not run it."""
        return choice if choice != "auto" or self.may_use_gpu else "cpu"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lens:
    """The lens: a profile (a shipped name or a file), or a field of view, else one of 70° is assumed; how the
    camera is mounted on its vehicle: as `mount` says, or the profile; and how high it is over the sea.

    Raises OptionsError where both descriptions of the lens are given, and for a mount or height that is none.
    """

    camera_profile: Annotated[
        str | None, Help(text="Lens: a profile file, or a name of `horizon-rt cameras list`.", named="name")
    ] = None
    hfov_deg: Annotated[
        float | None,
        Help(
            text="Field of view over the longer side in degrees; 70 where nothing is known.",
            flag="--hfov",
            minimum=1,
            maximum=179,
        ),
    ] = None

    mount: Annotated[
        str | None,
        Help(
            text="Rotation of the camera against its vehicle in degrees, to get the vehicle's attitude; "
            "else that of the camera profile.",
            metavar="ROLL,PITCH[,YAW]",
        ),
    ] = None
    height_m: Annotated[
        float | None,
        Help(
            text="Height of the camera over the sea, or the plain, which the horizon's dip is corrected by.",
            flag="--height",
            metavar="METRES",
            minimum=0,
            maximum=LARGEST_HEIGHT_M,
        ),
    ] = None

    def __post_init__(self) -> None:
        if self.camera_profile is not None and self.hfov_deg is not None:
            raise OptionsError("--camera-profile and --hfov both describe the lens; give one")
        if self.mount is not None:
            mount_angles(self.mount)
        if self.height_m is not None and not 0 <= self.height_m <= LARGEST_HEIGHT_M:
            raise OptionsError(f"--height lies between 0 and {LARGEST_HEIGHT_M:g} m, got {self.height_m}")

    @property
    def is_assumed(self) -> bool:
        """Whether nothing is known of the lens."""
        return self.camera_profile is None and self.hfov_deg is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Which frames of a recording are tracked: all, or those from `start_s` to before `end_s` (seconds).

    `every` is 'key' for the frames that are coded whole, or N for every Nth. Raises OptionsError.
    """

    start_s: Annotated[
        float | None, Help(text="Begin at this time of the recording, in seconds.", flag="--start", minimum=0)
    ] = None
    end_s: Annotated[
        float | None, Help(text="End before this time of the recording, in seconds.", flag="--end", minimum=0)
    ] = None
    every: Annotated[
        str | None, Help(text="Track every Nth frame, or 'key': those that are coded whole, the fastest.")
    ] = None

    def __post_init__(self) -> None:
        if self.every is not None and not _EVERY.fullmatch(str(self.every)):
            raise OptionsError(f"--every is a number of frames from 1 on, or key, got {self.every!r}")
        for name, time_s in (("--start", self.start_s), ("--end", self.end_s)):
            if time_s is not None and not 0 <= time_s <= _LAST_S:
                raise OptionsError(f"{name} is a time in seconds from 0 to {_LAST_S:g}, got {time_s}")
        if self.end_s is not None and self.end_s <= self.from_s:
            raise OptionsError("--end must be later than --start")

    @property
    def from_s(self) -> float:
        """The time of the recording at which the part begins, in seconds."""
        return self.start_s or 0.0

    @property
    def is_whole(self) -> bool:
        """Whether no frame is left out."""
        return not self.from_s and self.end_s is None and not self.key_only and self.stride == 1

    @property
    def key_only(self) -> bool:
        """Whether the frames that are coded whole are the only ones."""
        return self.every == "key"

    @property
    def stride(self) -> int:
        """Frames from one that is taken to the next, of those that are decoded."""
        return 1 if self.every is None or self.key_only else int(self.every)


WHOLE = Part()
"""All of a recording."""


class SourceFields(TypedDict):
    """What of a run's options `open_source` takes."""

    decoder: DecoderChoice
    part: Part
    rotate: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How to analyse a source. `smooth='offline'` is for recordings. Raises OptionsError."""

    smooth: Annotated[
        Smoothing,
        Help(
            text="Filter over time: causal; offline, with all of a recording; or none, each frame on its own."
        ),
    ] = "causal"
    lens: Lens = field(default_factory=Lens)
    engine: Engine = field(default_factory=Engine)
    decoder: Annotated[
        DecoderChoice,
        Help(text="Where video is decoded; auto: on the GPU that runs the net, if it can."),
    ] = "auto"
    key_frames: Annotated[
        bool,
        Help(text="Look at key frames with the net and follow the edge between; or at every frame."),
    ] = True
    part: Part = field(default_factory=Part)
    rotate: Annotated[
        int | None,
        Help(
            text="Turn the pictures clockwise by 90, 180 or 270 degrees, where the source does not say it.",
            metavar="90|180|270",
        ),
    ] = None

    def __post_init__(self) -> None:
        _check_choices(self)
        if self.rotate not in (None, 90, 180, 270):
            raise OptionsError(f"--rotate is 90, 180 or 270, got {self.rotate}")

    @property
    def header_fields(self) -> dict[str, str | float | bool]:
        """What a telemetry header says of them: all that is given and makes a difference to the results."""
        values = {name: value for name, value in _flat(self) if name not in ("decoder", "batch")}
        return {name: value for name, value in values.items() if value is not None}

    @property
    def source_fields(self) -> SourceFields:
        """What `open_source` takes; a decoder of 'auto' leaves a GPU alone that does not run the net."""
        return {"decoder": self.engine.decoder(self.decoder), "part": self.part, "rotate": self.rotate}


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveOptions(RunOptions):
    """As `RunOptions`, where nobody knows what comes later."""

    smooth: Annotated[Literal["causal", "none"], Help(text="Filter over time, or each frame on its own.")] = (
        "causal"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodeOptions:
    """How video is encoded. Raises OptionsError."""

    codec: Annotated[
        Codec,
        Help(text="Codec of videos; auto: h264 for pictures of 8 bits, hevc for those with more."),
    ] = "auto"
    quality: Annotated[
        int | None,
        Help(
            text="Quality of videos as x264 counts it (CRF): 18 looks like the source, 28 is small; 20 if "
            "not given.",
            minimum=0,
            maximum=51,
        ),
    ] = None
    encoder: Annotated[
        EncoderChoice, Help(text="What encodes: the processor, or a graphics card, if there is one that can.")
    ] = "software"

    def __post_init__(self) -> None:
        _check_choices(self)
        if self.quality is not None and not 0 <= self.quality <= LARGEST_CRF:
            raise OptionsError(f"--quality lies between 0 and {LARGEST_CRF}, got {self.quality}")


def mount_angles(text: str) -> tuple[float, float, float]:
    """Roll, pitch and yaw in degrees of ROLL,PITCH[,YAW]; raises OptionsError."""
    try:
        angles = [float(part) for part in str(text).split(",")]
    except ValueError:
        angles = []
    roll, pitch, yaw = (*angles, 0.0)[:3] if len(angles) in (2, 3) else (math.nan,) * 3
    if not all(abs(a) <= most for a, most in zip((roll, pitch, yaw), _MOUNT_LIMITS_DEG, strict=True)):
        raise OptionsError(
            "--mount is ROLL,PITCH or ROLL,PITCH,YAW in degrees, such as 0,-12.5, with a roll and yaw within "
            f"±180° and a pitch within ±90°, got {text!r}"
        )
    return roll, pitch, yaw


def option_fields(kind: type[Any]) -> Iterator[tuple[Field[Any], Any]]:
    """The fields of an options class with their types, those of nested classes in their place."""
    hints = get_type_hints(kind, include_extras=True)
    for item in fields(kind):
        hint = hints[item.name]
        if is_dataclass(hint):
            yield from option_fields(hint)  # type: ignore[arg-type]
        else:
            yield item, hint


def help_of(hint: Any) -> tuple[Any, Help | None]:
    """The type of a field, and what the command line says of it."""
    if get_origin(hint) is not Annotated:
        return hint, None
    kind, *notes = get_args(hint)
    return kind, next((note for note in notes if isinstance(note, Help)), None)


def from_flat(kind: type[T], values: Mapping[str, Any]) -> T:
    """An options value from fields by name, those of nested classes among them.

    Raises OptionsError for a name that is none.
    """
    names = [item.name for item, _ in option_fields(kind)]
    unknown = sorted(values.keys() - set(names))
    if unknown:
        raise OptionsError(f"there is no option {unknown[0]!r}; there are: {', '.join(names)}")
    return _built(kind, values)


def _built(kind: type[T], values: Mapping[str, Any]) -> T:
    hints = get_type_hints(kind)
    given = {
        item.name: _built(hints[item.name], values)
        if is_dataclass(hints[item.name])
        else values.get(item.name, item.default)
        for item in fields(kind)  # type: ignore[arg-type]
    }
    return kind(**given)


def _flat(options: Any) -> Iterator[tuple[str, Any]]:
    for item in fields(options):
        value = getattr(options, item.name)
        if is_dataclass(value):
            yield from _flat(value)
        else:
            yield item.name, value


def given_options(options: Any) -> dict[str, Any]:
    """The fields of an options value that are not as usual."""
    values = ((item.name, getattr(options, item.name), item.default) for item in fields(options))
    return {name: value for name, value, usual in values if value != usual}


def _check_choices(options: Any) -> None:
    hints = get_type_hints(type(options))
    for item in fields(options):
        choices = get_args(hints[item.name]) if get_origin(hints[item.name]) is Literal else ()
        value = getattr(options, item.name)
        if choices and value not in choices:
            raise OptionsError(f"{item.name} {value!r} is unknown; there are {', '.join(choices)}")
