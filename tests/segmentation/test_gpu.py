"""Segmentation as captured work: its bookkeeping with a queue of the CPU, and all of it where a GPU is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.frames import on_device, random_frame
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from horizon_rt.errors import DecodeError, DeviceError
from horizon_rt.frame import DevicePlane, Frame
from horizon_rt.models.nets import build_net
from horizon_rt.models.weights import find_model, load_net
from horizon_rt.options import Engine
from horizon_rt.pipeline.stages import run_pipeline
from horizon_rt.segmentation import Segmentation, Segmenter
from horizon_rt.segmentation.backends import make_backend
from horizon_rt.segmentation.cuda import CudaQueue, DeviceNet, Work
from horizon_rt.segmentation.gpu import GpuSegmenter
from horizon_rt.segmentation.torchscript import TorchScript
from horizon_rt.sources import Source, SourceInfo, open_source
from horizon_rt.tracker import HorizonTracker

gpu = pytest.mark.gpu
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


class LateQueue:
    """On the CPU; what was launched runs when somebody waits for it, in the order of the launches."""

    def __init__(self) -> None:
        self.captured = self.launched = 0
        self._waiting: list[tuple[int, Work]] = []

    def host(self, shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
        return torch.empty(shape, dtype=dtype)

    def capture(self, work: Work) -> Work:
        self.captured += 1
        return work

    def launch(self, upload: Work, replay: Work, download: Work) -> Work:
        upload()
        self.launched += 1
        own = self.launched
        self._waiting += [(own, replay), (own, download)]

        def wait() -> None:
            while self._waiting and self._waiting[0][0] <= own:
                with torch.no_grad():
                    self._waiting.pop(0)[1]()

        return wait


@pytest.fixture(scope="module")
def net() -> torch.nn.Module:
    return load_net(find_model(name="nano"))


@pytest.fixture
def queue() -> LateQueue:
    return LateQueue()


@pytest.fixture
def late(net: torch.nn.Module, queue: LateQueue) -> GpuSegmenter:
    return GpuSegmenter(DeviceNet(net, "cpu", "float32"), in_flight=3, queue=queue)


@pytest.fixture(scope="module")
def plain(net: torch.nn.Module) -> Segmenter:
    return Segmenter(TorchScript(net))


def frames_of(*sizes: tuple[int, int]) -> list[Frame]:
    return [replace(random_frame(size), index=index, time_s=index / 25) for index, size in enumerate(sizes)]


def assert_same(found: Segmentation, expected: Segmentation, tolerance: float = 1e-3) -> None:
    np.testing.assert_allclose(found.logits, expected.logits, rtol=0, atol=tolerance)
    assert found.logits.dtype == np.float32
    assert found.presence == pytest.approx(expected.presence, abs=tolerance)
    assert found.letterbox == expected.letterbox


# --- without a GPU


@pytest.mark.parametrize("name", ["nano", "lite0", "segnet", "deeplabv3plus"])
def test_folding_the_norms_leaves_the_net_as_it_is(name: str) -> None:
    torch.manual_seed(0)
    net = build_net(name)
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)  # type: ignore[union-attr, operator]
            module.running_var.uniform_(0.5, 2)  # type: ignore[union-attr, operator]
    before = {key: value.clone() for key, value in net.state_dict().items()}
    folded = DeviceNet(net, "cpu", "float32")
    picture = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        mask, presence = net.eval()(picture)
    logits, seen = folded(picture.numpy())
    scale = float(mask.abs().max())
    np.testing.assert_allclose(logits, mask[0, 0].numpy(), rtol=0, atol=1e-4 * max(1.0, scale))
    assert seen == pytest.approx(float(presence[0]), abs=1e-3)
    assert all(torch.equal(before[key], value) for key, value in net.state_dict().items())


def test_the_shipped_net_keeps_no_batch_norm() -> None:
    folded = DeviceNet(load_net(find_model()), "cpu", "float16")
    assert "batch_norm" not in str(folded.graph.inlined_graph)


def test_frames_of_host_and_device_are_segmented_as_on_the_cpu(late: GpuSegmenter, plain: Segmenter) -> None:
    for frame in frames_of((320, 180), (320, 180), (100, 140)):
        expected = plain.segment(frame)
        assert_same(late.segment(frame), expected)
        assert_same(late.segment(on_device(frame)), expected)
        upside_down = replace(frame, planes=tuple(plane[::-1, ::-1] for plane in frame.planes))
        assert_same(late.segment(upside_down), plain.segment(upside_down))


def test_a_net_input_runs_as_before(late: GpuSegmenter, plain: Segmenter) -> None:
    picture = np.random.default_rng(0).standard_normal((1, 3, 64, 96), np.float32)
    box = plain.preprocess(random_frame((96, 64)))
    assert_same(late.segment_input(picture, box), plain.segment_input(picture, box))


def test_stages_are_told(late: GpuSegmenter) -> None:
    said: list[str] = []
    late.on_stage = said.append
    for _ in range(2):
        late.segment(random_frame((64, 48)))
    assert said == ["preprocess", "segment"] * 2


@pytest.mark.parametrize("in_flight", [1, 2, 3])
@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 7, 12])
def test_all_frames_come_in_their_order(
    net: torch.nn.Module, plain: Segmenter, queue: LateQueue, count: int, in_flight: int
) -> None:
    frames = frames_of(*[(160, 90)] * count)
    late = GpuSegmenter(DeviceNet(net, "cpu", "float32"), in_flight=in_flight, queue=queue)
    found = list(late.segment_all(frame for frame in frames))
    assert [frame.index for frame, _ in found] == list(range(count))
    for frame, segmentation in found:
        assert_same(segmentation, plain.segment(frame))


def test_frames_of_several_layouts_come_in_their_order(late: GpuSegmenter, plain: Segmenter) -> None:
    a, b, c = (160, 90), (96, 64), (64, 96)
    frames = frames_of(a, a, a, a, b, a, b, b, b, b, b, b, b, c, a, a, c)
    found = list(late.segment_all(frames))
    assert [frame.index for frame, _ in found] == list(range(len(frames)))
    for frame, segmentation in found:
        assert_same(segmentation, plain.segment(frame))


@pytest.mark.parametrize("damaged", [{0}, {1, 2}, {3, 4, 5}, {8}, set(range(9))])
def test_damaged_frames_come_without_a_mask(
    late: GpuSegmenter, plain: Segmenter, queue: LateQueue, damaged: set[int]
) -> None:
    """Whatever their size is, they do not part the others."""
    sizes = [(64, 96) if index in damaged else (160, 90) for index in range(9)]
    frames = [replace(frame, damaged=frame.index in damaged) for frame in frames_of(*sizes)]
    for segmenter in (late, plain):
        found = list(segmenter.segment_all(frames))
        assert [frame.index for frame, _ in found] == list(range(9))
        without = set(range(9)) if segmenter is plain else damaged  # the CPU makes none ahead
        assert {frame.index for frame, mask in found if mask is None} == without
        for frame, mask in found:
            if mask is not None:
                assert_same(mask, plain.segment(frame))
    assert queue.captured == (0 if len(damaged) == 9 else 2)


def test_graphs_of_two_layouts_serve_in_turn(late: GpuSegmenter, queue: LateQueue) -> None:
    one, other = frames_of((160, 90), (96, 64))
    for frame in (one, one, other, other):
        late.segment(frame)
    launched = queue.launched
    for frame in (one, other) * 3:
        late.segment(frame)
    assert (queue.captured, queue.launched - launched) == (2, 6)


def test_the_graph_that_was_used_last_is_kept(late: GpuSegmenter, queue: LateQueue) -> None:
    often, *others = frames_of(*((width, 32) for width in range(32, 224, 32)))
    for frame in others:
        for again in (often, often, frame, frame):
            late.segment(again)
    assert queue.captured == 1 + len(others)


def test_answers_are_not_overwritten_by_later_frames(late: GpuSegmenter) -> None:
    frames = frames_of(*[(160, 90)] * 2)
    late.segment(frames[1])
    first = late.segment(frames[0])
    kept = first.logits.copy()
    late.segment(frames[1])
    list(late.segment_all(frames * 4))
    assert (first.logits == kept).all()


def test_work_is_captured_once_for_a_layout(late: GpuSegmenter, queue: LateQueue) -> None:
    frames = frames_of(*[(160, 90)] * 7)
    for _ in range(3):
        late.segment(frames[0])
        list(late.segment_all(frames))
    assert queue.captured == 1 + 2
    assert queue.launched == 2 + 3 * 3


def test_few_layouts_are_kept(late: GpuSegmenter, queue: LateQueue) -> None:
    for width in (*range(32, 352, 32), 320):
        for _ in range(2):
            late.segment(random_frame((width, 32)))
    assert queue.captured == 10


def test_pictures_of_all_sizes_need_no_graphs(late: GpuSegmenter, queue: LateQueue, plain: Segmenter) -> None:
    for frame in frames_of((64, 48), (48, 64), (64, 48), (100, 80)):
        assert_same(late.segment(frame), plain.segment(frame))
    assert queue.captured == 0


def test_at_most_two_batches_are_taken_ahead(late: GpuSegmenter) -> None:
    taken = 0

    def counted() -> Iterator[Frame]:
        nonlocal taken
        for frame in frames_of(*[(96, 64)] * 20):
            taken += 1
            yield frame

    for done, _ in enumerate(late.segment_all(counted())):
        assert taken - done <= 2 * 3


def test_frames_before_an_error_are_not_lost(late: GpuSegmenter) -> None:
    def broken() -> Iterator[Frame]:
        yield from frames_of(*[(96, 64)] * 5)
        raise DecodeError("the file ends here")

    found = late.segment_all(broken())
    assert [next(found)[0].index for _ in range(5)] == list(range(5))
    with pytest.raises(DecodeError, match="ends here"):
        next(found)


def _ahead(segmenter: Segmenter) -> HorizonTracker:
    return HorizonTracker(model="nano", segmenter=segmenter)


class _Recording(Source):
    def __init__(self, frames: list[Frame]) -> None:
        super().__init__()
        self.info = SourceInfo(name="recording", kind="file", width=frames[0].width, height=frames[0].height)
        self._frames = iter(frames)

    def _next_frame(self) -> Frame | None:
        return next(self._frames, None)


@pytest.fixture(scope="module")
def flight() -> list[Frame]:
    with open_source("synth:coast?size=320x180&seconds=1&seed=3") as source:
        return list(source)[::2]


@pytest.mark.usefixtures("no_leaks")
def test_a_recording_is_tracked_in_batches(late: GpuSegmenter, queue: LateQueue, flight: list[Frame]) -> None:
    tracker, one_by_one = _ahead(late), HorizonTracker(model="nano", device="cpu", backend="torchscript")
    angles: list[float | None] = []
    run_pipeline(_Recording(flight), tracker, on_frame=lambda frame, horizon: angles.append(horizon.roll_deg))
    assert queue.launched == -(-len(flight) // 3)
    assert angles == pytest.approx([one_by_one.update(frame).roll_deg for frame in flight], abs=1e-3)


def test_what_plays_in_real_time_is_tracked_frame_by_frame(
    late: GpuSegmenter, queue: LateQueue, flight: list[Frame]
) -> None:
    summary = run_pipeline(_Recording(flight), _ahead(late), real_time=True)
    assert queue.captured == 1
    assert queue.launched == len(flight) - summary.dropped - 1


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device answers")
def test_no_gpu_is_one_line(net: torch.nn.Module) -> None:
    with pytest.raises(DeviceError, match="no CUDA device answers; use --device cpu"):
        make_backend(find_model(), Engine(device="cuda"))
    assert HorizonTracker(backend="torchscript").backend == "torchscript-cpu"


def assert_measured_alike(tracker: HorizonTracker, data_root: Path, count: int) -> None:
    """At most 0.05° from the CPU on frames of recordings, from the air and at sea, by day and infrared."""
    folders = (data_root / name / "images" for name in ("flight", "sea", "thermal-sea"))
    pictures = sorted(path for folder in folders for path in folder.glob("*.[jp][pn]g"))
    assert len(pictures) > count
    plain = HorizonTracker(model=tracker.model, device="cpu", backend="torchscript", smooth="none")
    compared = 0
    for path in pictures[:: len(pictures) // count]:
        with open_source(path) as source:
            frame = next(iter(source))
        here, there = plain.update(frame), tracker.update(frame)
        assert here.view == there.view, path
        if here.up is not None and there.up is not None:
            assert here.up.angle_to(there.up) <= 0.05, path
            compared += 1
    assert compared > count // 2


def test_half_precision_measures_real_frames_alike(data_root: Path, queue: LateQueue) -> None:
    """The arithmetic of the GPU's way, in float16 on the CPU."""
    card = find_model(name="small")
    net = DeviceNet(load_net(card), "cpu", "float16")
    segmenter = GpuSegmenter(net, input_area_px=card.input_area_px, queue=queue)
    assert_measured_alike(HorizonTracker(model="small", smooth="none", segmenter=segmenter), data_root, 24)


class Types(TorchDispatchMode):
    """Notes the types of all floating point numbers that go into an operation, weights among them."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[torch.dtype] = set()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        self.seen |= {
            a.dtype for a in tree_leaves(args) if isinstance(a, torch.Tensor) and a.is_floating_point()
        }
        return func(*args, **(kwargs or {}))


def assert_half(net: DeviceNet) -> None:
    picture = torch.zeros(1, 3, 96, 160, dtype=net.dtype, device=net.device)
    with Types() as types:
        net.run(picture)
    assert types.seen == {torch.float16}


@pytest.mark.parametrize("name", ["small", "nano", "lite0"])
def test_all_of_the_net_is_of_half_precision(name: str) -> None:
    assert_half(DeviceNet(load_net(find_model(name=name)), "cpu", "float16"))


# --- with one


@pytest.fixture(scope="module")
def half(net: torch.nn.Module) -> GpuSegmenter:
    return GpuSegmenter(DeviceNet(net))


def uploaded(frame: Frame) -> Frame:
    there = on_device(frame)
    return replace(there, planes=tuple(DevicePlane(p.tensor.cuda()) for p in there.planes))  # type: ignore[attr-defined]


@gpu
@needs_cuda
def test_masks_of_the_gpu_are_those_of_the_cpu(
    half: GpuSegmenter, plain: Segmenter, flight: list[Frame]
) -> None:
    for frame in flight:
        expected = plain.segment(frame)
        for there in (frame, frame, uploaded(frame)):
            found = half.segment(there)
            assert np.abs(np.tanh(found.logits / 2) - np.tanh(expected.logits / 2)).max() < 0.05
            assert found.presence == pytest.approx(expected.presence, abs=0.01)


@gpu
@needs_cuda
@pytest.mark.parametrize("bits", [8, 10, 16])
def test_every_depth_is_uploaded_whole(half: GpuSegmenter, plain: Segmenter, bits: int) -> None:
    frame = random_frame((418, 234), bits=bits, matrix="bt601")
    expected = plain.segment(frame)
    for there in (frame, frame, uploaded(frame)):
        np.testing.assert_allclose(half.segment(there).logits, expected.logits, rtol=0, atol=0.2)


@gpu
@needs_cuda
def test_a_batch_is_its_frames_one_by_one(half: GpuSegmenter, flight: list[Frame]) -> None:
    frames = [*flight, *map(uploaded, flight), *frames_of((96, 64), (96, 64))]
    for frame, found in half.segment_all(frames):
        assert_same(found, half.segment(frame), 0.05)


@gpu
@needs_cuda
def test_weights_and_activations_are_of_half_precision(net: torch.nn.Module) -> None:
    assert_half(DeviceNet(net))


@gpu
@needs_cuda
@pytest.mark.parametrize("place", [lambda frame: frame, uploaded])
def test_nothing_waits_for_the_gpu_but_the_answer(
    half: GpuSegmenter, flight: list[Frame], place: Callable[[Frame], Frame]
) -> None:
    frames = [place(frame) for frame in flight[:4]]
    for _ in range(2):
        half.segment(frames[0])
        list(half.segment_all(frames))
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        half.segment(frames[1])
        list(half.segment_all(frames))
    finally:
        torch.cuda.set_sync_debug_mode("default")


@gpu
@needs_cuda
def test_the_memory_of_the_gpu_is_flat(half: GpuSegmenter, flight: list[Frame]) -> None:
    for _ in range(2):
        half.segment(flight[0])
        list(half.segment_all(flight))
    before = torch.cuda.memory_allocated()
    for _ in range(20):
        half.segment(flight[0])
        list(half.segment_all(flight))
    assert torch.cuda.memory_allocated() == before


@gpu
@needs_cuda
def test_a_queue_keeps_the_order_of_its_work() -> None:
    queue = CudaQueue()
    there = torch.zeros(1 << 20, device="cuda")
    here, back = queue.host((1 << 20,), torch.float32), queue.host((1 << 20,), torch.float32)
    replay = queue.capture(lambda: there.mul_(2.0))
    for value in range(50):
        here.fill_(value)
        queue.launch(
            lambda: there.copy_(here, non_blocking=True), replay, lambda: back.copy_(there, non_blocking=True)
        )()
        assert (back == 2 * value).all()


@gpu
@needs_cuda
@pytest.mark.usefixtures("half")
def test_real_frames_are_measured_as_on_the_cpu(data_root: Path) -> None:
    assert_measured_alike(HorizonTracker(device="cuda", smooth="none"), data_root, 200)
