"""Segmentation on a GPU: preprocess and net as one CUDA graph for each layout of frames.

Frames lie in host memory, from where they are copied through page-locked buffers, or on the GPU already. Only
masks and presences come back, and the wait for them is the only one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import cycle

import numpy as np
import torch
from torch import Tensor

from horizon_rt.frame import DevicePlane, Frame, Plane
from horizon_rt.models.sizes import INPUT_AREA_PX, OUTPUT_STRIDE
from horizon_rt.options import BATCH
from horizon_rt.segmentation.cuda import CudaQueue, DeviceNet, Queue, Work
from horizon_rt.segmentation.device_input import DeviceInput, Layout
from horizon_rt.segmentation.mask import Segmentation
from horizon_rt.segmentation.segmenter import Segmenter

__all__ = ["GpuSegmenter"]

_SETS = 2  # of buffers for batches
_MOST_GRAPHS = 4  # kept; pictures of many sizes take turns


class GpuSegmenter(Segmenter):
    """`segment` for one frame at a time with the least delay, `segment_all` for recordings, in batches.

    The parts of a graph cannot be told apart: 'preprocess' is done when the work was handed over.
    """

    def __init__(
        self,
        backend: DeviceNet,
        *,
        input_area_px: int = INPUT_AREA_PX,
        in_flight: int = BATCH,
        queue: Queue | None = None,
    ) -> None:
        super().__init__(backend, input_area_px=input_area_px)
        self._net, self._area_px, self._in_flight = backend, input_area_px, in_flight
        self._queue = queue or CudaQueue()
        self._last: Layout | None = None
        self._sets: dict[tuple[Layout, int, int], Iterator[_Set]] = {}

    def segment(self, frame: Frame, *, careful: bool = False) -> Segmentation:
        """Run preprocess and net on a frame.

        The first of its layout goes without a graph, which takes a while to make: pictures that stand alone
        may all be of different sizes. So does a careful look.
        """
        layout, before = Layout.of(frame), self._last
        self._last = layout
        if careful or (layout != before and (layout, 1, 1) not in self._sets):
            return super().segment(frame, careful=careful)
        buffers = self._next_set(layout, 1, sets=1)
        buffers.submit([frame])
        self.on_stage("preprocess")
        [found] = buffers.collect()
        self.on_stage("segment")
        return found

    def segment_all(self, frames: Iterable[Frame]) -> Iterator[tuple[Frame, Segmentation | None]]:
        """As of `Segmenter`, without stages; what `frames` raises comes after the last one."""
        ending = _Ending(frames)
        pending: deque[tuple[list[Frame], _Set | None]] = deque()
        for batch in _batches(ending, self._in_flight):
            whole = [frame for frame in batch if not frame.damaged]
            buffers = self._next_set(Layout.of(whole[0]), self._in_flight, sets=_SETS) if whole else None
            if buffers is not None:
                buffers.submit(whole)
            pending.append((batch, buffers))
            if len(pending) == _SETS:
                yield from _collected(*pending.popleft())
        while pending:
            yield from _collected(*pending.popleft())
        if ending.error is not None:
            raise ending.error

    def graph_of_one(self, frame: Frame) -> Work:
        """The replay of the graph of one frame of this layout, for who measures it alone."""
        return self._next_set(Layout.of(frame), 1, sets=1)._replay

    def _next_set(self, layout: Layout, count: int, *, sets: int) -> _Set:
        """The one of these that was used the longest ago."""
        key = layout, count, sets
        made = self._sets.pop(key, None)
        if made is None:
            if len(self._sets) == _MOST_GRAPHS:
                del self._sets[next(iter(self._sets))]
            make = partial(_Set, layout, count, self._net, self._area_px, self._queue)
            made = cycle([make() for _ in range(sets)])
        self._sets[key] = made  # the last to be given up
        return next(made)


class _Set:
    """The buffers for up to `count` frames of one layout, and the work on them."""

    def __init__(self, layout: Layout, count: int, net: DeviceNet, area_px: int, queue: Queue) -> None:
        self._net, self._queue = net, queue
        self._input = DeviceInput(layout, area_px=area_px, device=net.device, dtype=net.dtype)
        shapes = [(count, *shape) for shape in layout.shapes]
        self._staged = [queue.host(shape, layout.dtype) for shape in shapes]
        self._planes = [torch.empty(shape, dtype=layout.dtype, device=net.device) for shape in shapes]
        mask = (count, *(side // OUTPUT_STRIDE for side in self._input.size))
        self._found = [torch.empty(shape, device=net.device) for shape in (mask, (count,))]
        self._answers = [queue.host(shape, torch.float32) for shape in (mask, (count,))]
        self._replay = queue.capture(self._work)
        self._wait: Work | None = None
        self._submitted = 0

    def submit(self, frames: Sequence[Frame]) -> None:
        """Start the work on frames, which must live until `collect`."""
        self._submitted = len(frames)
        upload = partial(self._upload, [frame.planes for frame in frames])
        self._wait = self._queue.launch(upload, self._replay, self._download)

    def collect(self) -> list[Segmentation]:
        """Wait for what was submitted last."""
        assert self._wait is not None
        self._wait()
        masks, presences = (answer[: self._submitted].numpy().copy() for answer in self._answers)
        return [
            Segmentation.from_net(mask, float(presence), self._input.letterbox)
            for mask, presence in zip(masks, presences, strict=True)
        ]

    def _upload(self, frames: Sequence[tuple[Plane | DevicePlane, ...]]) -> None:
        for index, planes in enumerate(frames):
            for plane, staged, target in zip(planes, self._staged, self._planes, strict=True):
                target[index].copy_(_source(plane, staged[index]), non_blocking=True)

    def _work(self) -> None:
        masks, presences = self._net.run(self._input(self._planes))
        self._found[0].copy_(masks[:, 0])
        self._found[1].copy_(presences)

    def _download(self) -> None:
        for found, answer in zip(self._found, self._answers, strict=True):
            answer.copy_(found, non_blocking=True)


def _source(plane: Plane | DevicePlane, staged: Tensor) -> Tensor:
    """Samples to copy to the GPU from: where they are, if that is there, else page-locked."""
    if isinstance(plane, DevicePlane):
        return plane.tensor
    np.copyto(staged.numpy(), plane)
    return staged


def _collected(frames: Sequence[Frame], buffers: _Set | None) -> Iterator[tuple[Frame, Segmentation | None]]:
    found = iter(() if buffers is None else buffers.collect())
    return ((frame, None if frame.damaged else next(found)) for frame in frames)


class _Ending:
    """Frames whose error ends them as if there were no more."""

    def __init__(self, frames: Iterable[Frame]) -> None:
        self.error: Exception | None = None
        self._frames = frames

    def __iter__(self) -> Iterator[Frame]:
        try:
            yield from self._frames
        except Exception as error:
            self.error = error


def _batches(frames: Iterable[Frame], most: int) -> Iterator[list[Frame]]:
    """Frames that follow one another and are of one layout but for damaged ones, at most so many."""
    batch: list[Frame] = []
    layout: Layout | None = None
    for frame in frames:
        if not frame.damaged:
            before, layout = layout, Layout.of(frame)
            if batch and layout != (before or layout):
                yield batch
                batch = []
        batch.append(frame)
        if len(batch) == most:
            yield batch
            batch = []
    if batch:
        yield batch
