"""One decoded picture, as planes."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from horizon_rt.frame.planes import DevicePlane, Plane, Sampling

__all__ = ["Frame"]


_SAMPLES = (np.dtype(np.uint8), np.dtype(np.uint16))


@dataclass(frozen=True, slots=True)
class Frame:
    """A picture as one luma plane, and two chroma planes unless it is grey.

    `planes` are (Y,) or (Y, U, V), each (rows, columns), uint8 or uint16, possibly strided views into a
    decoder's buffer: read, never write. The chroma may be subsampled by any factor: 4:2:0, 4:2:2, 4:4:4.
    A decoder on the GPU leaves them there: each is then a `DevicePlane`, and `arrays` has them on the host.
    The picture is upright: display rotation is already applied, as a view.

    `time_s` is presentation time in seconds, for live sources a monotonic capture time from the first
    frame on. `decoded_at_s` is `time.perf_counter()` when the frame left the decoder; `live` frames come when
    they are taken, so that the time since then is their latency. `name` is the file of a picture that came
    from a folder. `damaged` are pictures whose data were broken, where the decoder made up what was missing;
    what `stands_in` is no picture of its own, but shown again as nothing came. Raises
    ValueError for planes that are none.
    """

    planes: tuple[Plane | DevicePlane, ...]
    index: int
    time_s: float
    sampling: Sampling = field(default_factory=Sampling)
    decoded_at_s: float = 0.0
    name: str | None = None
    damaged: bool = False
    stands_in: bool = False
    live: bool = False

    def __post_init__(self) -> None:
        if len(self.planes) not in (1, 3):
            raise ValueError(f"a frame has 1 or 3 planes, got {len(self.planes)}")
        for plane in self.planes:
            if not isinstance(plane, (np.ndarray, DevicePlane)) or plane.dtype not in _SAMPLES:
                raise ValueError(f"planes are uint8 or uint16 arrays, got {_kind(plane)}")
        if any(plane.ndim != 2 or plane.size == 0 for plane in self.planes):
            raise ValueError(f"planes are non-empty and 2-D, got {[p.shape for p in self.planes]}")

    @property
    def luma(self) -> Plane | DevicePlane:
        """The luma plane, shape (height, width)."""
        return self.planes[0]

    @property
    def width(self) -> int:
        """Columns of the luma plane."""
        return self.planes[0].shape[1]

    @property
    def height(self) -> int:
        """Rows of the luma plane."""
        return self.planes[0].shape[0]

    def to_bgr(self) -> NDArray[np.uint8]:
        """The picture as BGR (height, width, 3) uint8, as OpenCV takes it."""
        from horizon_rt.frame.colour import to_bgr

        return to_bgr(self.arrays(), self.sampling)

    def arrays(self) -> tuple[Plane, ...]:
        """The planes as arrays, downloaded where they are on a GPU."""
        return tuple(p.on_host() if isinstance(p, DevicePlane) else p for p in self.planes)

    @classmethod
    def from_bgr(cls, image: NDArray[np.uint8], *, index: int = 0, time_s: float = 0.0) -> Frame:
        """From a BGR (height, width, 3) or grey (height, width) uint8 array, as OpenCV gives it.

        Raises ValueError for anything else.
        """
        import cv2

        return cls._from_colour(image, cv2.COLOR_BGR2YCrCb, index, time_s)

    @classmethod
    def from_rgb(cls, image: NDArray[np.uint8], *, index: int = 0, time_s: float = 0.0) -> Frame:
        """As `from_bgr`, from an RGB array, as Pillow, imageio and torchvision give it."""
        import cv2

        return cls._from_colour(image, cv2.COLOR_RGB2YCrCb, index, time_s)

    @classmethod
    def _from_colour(cls, image: NDArray[np.uint8], to_ycrcb: int, index: int, time_s: float) -> Frame:
        import cv2

        _check_image(image)
        sampling = Sampling(full_range=True, matrix="bt601")
        if image.ndim == 2:
            return cls((image,), index, time_s, sampling)
        ycrcb = cv2.cvtColor(image, to_ycrcb)
        return cls((ycrcb[:, :, 0], ycrcb[:, :, 2], ycrcb[:, :, 1]), index, time_s, sampling)


def _kind(value: object) -> str:
    """A value in words: the type of its samples for an array, else its own."""
    return f"{value.dtype} samples" if isinstance(value, np.ndarray) else type(value).__name__


def _check_image(image: object) -> None:
    """Raises ValueError for what is no uint8 image; it says how to make one of it."""
    if image is None:
        raise ValueError("the image is None, which cv2.imread gives for a file that it cannot read")
    if not isinstance(image, np.ndarray):
        raise ValueError(f"an image is a NumPy array, got {_kind(image)}; np.asarray makes one")
    shape = image.shape
    if len(shape) not in (2, 3) or (len(shape) == 3 and shape[2] != 3):
        raise ValueError(f"an image is (height, width, 3) or (height, width), got {shape}{_reshape(shape)}")
    if image.dtype != np.uint8:
        cure = "(255 * image)" if image.dtype.kind == "f" else "(image >> 8)"
        raise ValueError(f"an image has uint8 samples, got {image.dtype}; see {cure}.astype(np.uint8)")
    if image.size == 0:
        raise ValueError(f"the image is empty, its shape is {shape}")


def _reshape(shape: tuple[int, ...]) -> str:
    if len(shape) == 3 and shape[0] == 3:
        return "; image.transpose(1, 2, 0) puts the channels last"
    if len(shape) == 3 and shape[2] == 4:
        return "; image[:, :, :3] leaves out the alpha channel"
    return "; see image.squeeze()" if 1 in shape else ""
