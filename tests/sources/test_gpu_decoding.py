"""Decoding on a GPU: what is handed over, when the CPU decodes instead, and what is said of it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
import torch
from av.codec.hwaccel import HWAccel
from av.video.frame import VideoFrame
from support.cli import RunCli
from support.sources import av_frame, random_planes, write_clip

from horizon_rt.bench.clips import write_clip as write_flight
from horizon_rt.bench.measure import FirstFrames
from horizon_rt.frame import DevicePlane, Plane, Sampling
from horizon_rt.options import DecoderChoice, Engine, RunOptions
from horizon_rt.pipeline.outputs import Outputs
from horizon_rt.pipeline.run import run
from horizon_rt.sources import container, open_source
from horizon_rt.sources import gpu as hardware
from horizon_rt.sources.gpu import gpu_refusal
from horizon_rt.sources.orientation import upright
from horizon_rt.sources.planes import PlaneReader
from horizon_rt.tracker import HorizonTracker

without_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device answers")


@pytest.fixture(scope="module")
def decodes() -> None:
    """Skips where no GPU decodes."""
    refusal = gpu_refusal()
    if refusal is not None:
        pytest.skip(refusal)


def _as_on_gpu(frame: VideoFrame) -> VideoFrame:
    """A frame of the host as one of a hardware decoder describes itself."""
    kept = {name: getattr(frame, name) for name in ("planes", "height", "color_range", "colorspace")}
    hidden = SimpleNamespace(**kept, sw_format=frame.format, format=SimpleNamespace(name="cuda"))
    return cast(VideoFrame, hidden)


@pytest.mark.parametrize(("pixel_format", "bits"), [("nv12", 8), ("p010le", 10)])
def test_planes_are_handed_over_as_they_are(pixel_format: str, bits: int) -> None:
    frame = av_frame(pixel_format, random_planes(98, 64, "420", bits=bits))
    expected, sampling = PlaneReader().read(frame)
    found, told = PlaneReader().read(_as_on_gpu(frame))
    assert told == replace(sampling, matrix=told.matrix)
    assert all(isinstance(plane, DevicePlane) for plane in found)
    for plane, array in zip(found, expected, strict=True):
        assert plane.dtype == array.dtype
        assert np.array_equal(np.asarray(plane), array)


def test_handed_over_planes_keep_their_picture_alive() -> None:
    found, _ = PlaneReader().read(_as_on_gpu(av_frame("nv12", random_planes(98, 64, "420", seed=4))))
    for seed in range(20):
        av_frame("nv12", random_planes(98, 64, "420", seed=seed + 10))
    assert np.array_equal(np.asarray(found[0]), random_planes(98, 64, "420", seed=4)[0])


def test_a_turned_picture_comes_to_the_host() -> None:
    planes = random_planes(98, 64, "420")
    there = tuple(DevicePlane(torch.from_numpy(plane)) for plane in planes)
    turned = upright(there, (True, True, False))
    assert all(isinstance(plane, np.ndarray) for plane in turned)
    assert np.array_equal(turned[0], planes[0].T[::-1])
    assert upright(there, (False, False, False)) is there


# --- falling back


@without_gpu
@pytest.mark.parametrize("decoder", ["cpu", "auto", "cuda"])
def test_without_a_gpu_the_cpu_decodes_and_only_a_wish_is_answered(
    clip: Path, decoder: DecoderChoice
) -> None:
    with open_source(clip, decoder=decoder) as source:
        assert len(list(source)) == 12
        assert not source.on_gpu
        line = f"{clip}: decoded on the CPU: {gpu_refusal()}"
        assert source.warnings == ([line] if decoder == "cuda" else [])


def test_an_unknown_decoder_is_refused(clip: Path) -> None:
    with pytest.raises(ValueError, match="unknown"):
        open_source(clip, decoder="vulkan")  # type: ignore[arg-type]


@without_gpu
@pytest.mark.parametrize(("decoder", "lines"), [("cuda", 1), ("auto", 0)])
def test_track_says_in_one_line_that_the_cpu_decodes(
    clip: Path, process: Callable[..., subprocess.Popen[str]], decoder: str, lines: int
) -> None:
    done = process("track", clip, "--decoder", decoder, "--telemetry", "-")
    out, err = done.communicate(timeout=100)
    assert (done.returncode, len(out.splitlines())) == (0, 13)
    assert err.count(f"{clip}: decoded on the CPU: {gpu_refusal()}\n") == lines
    assert err.count("decoded on the CPU") == lines


def test_an_unknown_decoder_is_a_usage_error(clip: Path, cli: RunCli) -> None:
    assert cli("track", clip, "--decoder", "vulkan", "--telemetry", "-").code == 2


def test_a_refusal_names_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    there: set[str] = set()
    monkeypatch.setattr("horizon_rt.system.host.has_library", lambda library: library in there)
    monkeypatch.setattr(hardware, "has_library", lambda library: library in there)
    assert gpu_refusal() == "there is no CUDA driver"
    there.add("libcuda.so.1")
    assert gpu_refusal() == "the driver has no libnvcuvid.so.1; a container needs the capability 'video'"
    there.add("libnvcuvid.so.1")
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert gpu_refusal() == "no CUDA device answers"
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)

    def busy() -> None:
        raise RuntimeError("all is busy\nhere is the stack")

    monkeypatch.setattr("torch.cuda.synchronize", busy)
    assert gpu_refusal() == "PyAV cannot use the GPU (all is busy)"
    monkeypatch.setattr("av.codec.hwaccel.hwdevices_available", lambda: ["vaapi"])
    assert gpu_refusal() == "this build of PyAV has no CUDA"


def test_without_a_driver_the_answer_takes_no_pytorch() -> None:
    code = (
        "import sys, horizon_rt.system.host as h; h.has_library = lambda library: False; "
        "from horizon_rt.sources.gpu import gpu_refusal; print(gpu_refusal(), 'torch' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said == "there is no CUDA driver False\n"


@without_gpu
@pytest.mark.parametrize("kind", ["cuda", "qsv"])
def test_a_video_that_the_gpu_does_not_decode_is_opened_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """With 'cuda' FFmpeg fails at once; 'qsv' has no decoder for this, and the pictures come from the CPU."""
    frames = [av_frame("yuv420p", random_planes(96, 64, "420", seed=seed)) for seed in range(5)]
    path = write_clip(tmp_path / "a.mp4", frames, codec="libx264")
    monkeypatch.setattr(hardware, "accelerator", lambda: HWAccel(kind, is_hw_owned=True))
    monkeypatch.setattr(hardware, "gpu_refusal", lambda: None)
    with open_source(path, decoder="cuda") as source:
        assert len(list(source)) == 5
        assert source.warnings == [f"{path}: decoded on the CPU: its pictures do not stay on the GPU"]


def test_auto_leaves_a_gpu_alone_that_does_not_run_the_net() -> None:
    assert RunOptions(engine=Engine(device="cpu")).source_fields["decoder"] == "cpu"
    assert RunOptions(engine=Engine(backend="onnx")).source_fields["decoder"] == "cpu"
    assert RunOptions().source_fields["decoder"] == "auto"
    assert Engine(device="auto", backend="torchscript").decoder("auto") == "auto"
    assert Engine(device="cuda", backend="auto").decoder("auto") == "auto"
    assert Engine(device="cpu", backend="torchscript").decoder("auto") == "cpu"
    assert Engine(device="auto", backend="onnx").decoder("auto") == "cpu"
    assert Engine(device="cpu", backend="onnx").decoder("cuda") == "cuda"


# --- the way of a device frame through a whole run


class _OnDevice(PlaneReader):
    def read(self, frame: VideoFrame) -> tuple[tuple[Plane, ...], Sampling]:
        planes, sampling = super().read(frame)
        there = tuple(DevicePlane(torch.from_numpy(np.ascontiguousarray(plane))) for plane in planes)
        return there, sampling


def _run(path: Path, folder: Path) -> tuple[list[dict[str, object]], list[np.ndarray]]:
    outputs = Outputs(telemetry=(str(folder / "t.jsonl"),), overlay=folder / "o.mkv")
    assert run(open_source(path), RunOptions(engine=Engine(device="cpu")), outputs).frames == 24
    rows = [json.loads(line) for line in (folder / "t.jsonl").read_text().splitlines()[1:]]
    with open_source(folder / "o.mkv") as source:
        return rows, [frame.luma.copy() for frame in source]


def test_a_run_with_device_frames_writes_what_one_with_arrays_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_flight(tmp_path / "flight.mp4", (320, 180), 24)
    folders = tmp_path / "here", tmp_path / "there"
    for folder in folders:
        folder.mkdir()
    rows, pictures = _run(tmp_path / "flight.mp4", folders[0])
    monkeypatch.setattr(container, "PlaneReader", _OnDevice)
    with open_source(tmp_path / "flight.mp4") as source:
        assert source.on_gpu
        assert FirstFrames(source, 1).on_gpu
    found, shown = _run(tmp_path / "flight.mp4", folders[1])
    for row, expected in zip_longest(found, rows):
        for key in ("state", "roll_deg", "pitch_deg", "roll_sd_deg"):
            assert row[key] == pytest.approx(expected[key], abs=1e-4)
    for picture, array in zip_longest(shown, pictures):  # they differ in the time that is written on them
        assert np.abs(picture.astype(int) - array).mean() < 2


# --- with a GPU


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "flight.mp4"
    write_flight(path, (640, 360), 60)
    return path


@pytest.mark.gpu
@pytest.mark.usefixtures("decodes")
def test_the_gpu_decodes_what_the_cpu_decodes(recording: Path) -> None:
    with open_source(recording, decoder="cuda") as there, open_source(recording) as here:
        assert there.on_gpu
        assert there.info == here.info
        for frame, expected in zip_longest(there, here):
            assert (frame.index, frame.time_s, frame.sampling) == (
                expected.index,
                expected.time_s,
                expected.sampling,
            )
            for plane, array in zip(frame.arrays(), expected.planes, strict=True):
                assert np.abs(plane.astype(int) - array).max() <= 1
        assert there.warnings == []


@pytest.mark.gpu
@pytest.mark.usefixtures("decodes")
@pytest.mark.parametrize("first", ["decoder", "net"])
def test_decoder_and_net_share_a_gpu_in_either_order(recording: Path, first: str) -> None:
    def make() -> HorizonTracker:
        return HorizonTracker(device="cuda")

    tracker = make() if first == "net" else None
    with open_source(recording, decoder="cuda") as there, open_source(recording) as here:
        tracker, plain = tracker or make(), HorizonTracker(device="cpu", backend="torchscript")
        found = [horizon for _, horizon in tracker.update_all(there)]
        expected = [plain.update(frame) for frame in here]
    for a, b in zip_longest(found, expected):
        assert (a.up is None) == (b.up is None)
        assert a.up is None or a.up.angle_to(b.up) <= 0.05


@pytest.mark.gpu
@pytest.mark.usefixtures("decodes")
@pytest.mark.parametrize("how", [lambda tracker, frame: tracker.update(frame), lambda tracker, frame: None])
def test_frames_may_be_kept_while_the_gpu_decodes_on(
    recording: Path, how: Callable[[HorizonTracker, object], object]
) -> None:
    tracker = HorizonTracker(device="cuda")
    with open_source(recording, decoder="cuda") as source:
        frames = []
        for frame in source:
            how(tracker, frame)
            frames.append(frame)
    with open_source(recording) as source:
        for frame, expected in zip_longest(frames, source):
            assert np.abs(frame.arrays()[0].astype(int) - expected.luma).max() <= 1
