"""What runs the net: every backend against the eager net, in probabilities and in degrees."""

from __future__ import annotations

import importlib.util
import json
import logging
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from support.cli import RunCli
from support.processor import needs_bfloat16

import horizon_rt as hz
from horizon_rt.bench.job import every_engine
from horizon_rt.bench.measure import Plan
from horizon_rt.cli.app import program
from horizon_rt.errors import DeviceError, MissingExtra, WeightsError
from horizon_rt.evaluation.job import EvalJob
from horizon_rt.models.nets import build_net
from horizon_rt.models.weights import find_model, load_net, write_manifest
from horizon_rt.options import BackendChoice, BackendName, Engine, RunOptions
from horizon_rt.segmentation import onnx
from horizon_rt.segmentation.backend import Backend, precisions_of
from horizon_rt.segmentation.backends import forget_nets, installed_backends, make_backend
from horizon_rt.segmentation.onnx import OnnxRuntime
from horizon_rt.segmentation.openvino import OpenVino
from horizon_rt.sources import open_source
from horizon_rt.system import extras

BACKENDS: tuple[BackendName, ...] = ("torchscript", "onnx", "openvino")
SHAPES = [(192, 320), (224, 288), (256, 256), (64, 96), (320, 192), (64, 1024)]


def _made(name: BackendName, model: str | None = None) -> Backend:
    if name not in installed_backends():
        pytest.skip(f"{name} is not installed")
    return make_backend(find_model(name=model), Engine(backend=name, device="cpu"))


def _probability(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logits.astype(float)))


@pytest.mark.parametrize("name", BACKENDS)
@pytest.mark.parametrize(("model", "shapes"), [("small", SHAPES), ("lite0", SHAPES[:2])])
def test_every_backend_answers_as_the_eager_net(
    name: BackendName, model: str, shapes: list[tuple[int, int]]
) -> None:
    backend, net = _made(name, model), load_net(find_model(name=model)).eval()
    assert backend.name == f"{name}-cpu"
    rng = np.random.default_rng(1)
    for shape in (*shapes, shapes[0]):
        picture = rng.standard_normal((1, 3, *shape), np.float32)
        before = picture.copy()
        logits, presence = backend(picture)
        with torch.inference_mode():
            mask, seen = net(torch.from_numpy(picture))
        assert (logits.dtype, logits.shape) == (np.float32, (shape[0] // 4, shape[1] // 4))
        assert isinstance(presence, float)
        assert np.abs(_probability(logits) - _probability(mask[0, 0].numpy())).max() < 1e-3
        assert presence == pytest.approx(float(seen[0]), abs=1e-3)
        assert (picture == before).all()


@pytest.mark.parametrize("name", BACKENDS)
def test_answers_are_not_overwritten_by_the_next_frame(name: BackendName) -> None:
    backend = _made(name)
    first, _ = backend(np.zeros((1, 3, 64, 96), np.float32))
    kept = first.copy()
    backend(np.ones((1, 3, 64, 96), np.float32))
    assert (first == kept).all()


@pytest.mark.parametrize("name", BACKENDS[1:])
def test_every_backend_gives_the_same_attitude(name: BackendName) -> None:
    _made(name)
    with open_source("synth:coast?size=640x360&seconds=1&seed=3") as source:
        frames = list(source)[::4]
    one, other = (hz.HorizonTracker(backend=b, device="cpu", smooth="none") for b in ("torchscript", name))
    for frame in frames:
        a, b = one.update(frame), other.update(frame)
        assert a.up is not None
        assert b.up is not None
        assert a.up.angle_to(b.up) < 0.02


def _openvino_capabilities() -> list[str]:
    import openvino

    return list(openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"))


@needs_bfloat16
@pytest.mark.parametrize("name", [name for name in BACKENDS if len(precisions_of(name)) > 1])
def test_fewer_bits_give_nearly_the_same_attitude(name: BackendName) -> None:
    _made(name)
    with open_source("synth:coast?size=640x360&seconds=1&seed=3") as source:
        frames = list(source)[::4]
    # OpenVINO leaves the numbers as they are on a processor that does not know them.
    has_bfloat16 = name != "openvino" or "BF16" in _openvino_capabilities()
    full = hz.HorizonTracker(model="small", backend=name, device="cpu", smooth="none")
    for precision in precisions_of(name)[1:]:
        less = hz.HorizonTracker(
            model="small", backend=name, device="cpu", smooth="none", precision=precision
        )
        assert less.backend == f"{name}-cpu-{precision}"
        for frame in frames:
            a, b = full.update(frame), less.update(frame)
            assert a.up is not None
            assert b.up is not None
            assert a.up.angle_to(b.up) < 0.1
            logits, coarse = full.segment(frame).logits, less.segment(frame).logits
            change = np.abs(_probability(logits) - _probability(coarse)).mean()
            assert change < 0.01
            assert (change > 0) == has_bfloat16


def test_a_precision_that_a_backend_does_not_have_is_refused(cli: RunCli, tmp_path: Path) -> None:
    for name, precision in (("torchscript", "float16"), ("onnx", "bfloat16")):
        _made(name)  # type: ignore[arg-type]
        with pytest.raises(DeviceError, match=f"runs in float32.* on the CPU, not in {precision}"):
            make_backend(find_model(), Engine(backend=name, device="cpu", precision=precision))  # type: ignore[arg-type]
    assert precisions_of("torchscript", on_gpu=True)[0] == "float16"
    with pytest.raises(DeviceError, match="needs a GPU"):
        make_backend(find_model(), Engine(backend="auto", device="cpu", precision="float16"))
    with pytest.raises(DeviceError, match="--backend openvino or torchscript does"):
        make_backend(find_model(), Engine(backend="onnx", device="cpu", precision="bfloat16"))
    done = cli(
        "track", "synth:sea?seconds=0.1", "--precision", "float16", "--device", "cpu", "--out", tmp_path
    )
    assert (done.code, len(done.errors)) == (1, 1)


def test_auto_is_the_fastest_that_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert installed_backends()[-1] == "torchscript"
    assert (
        make_backend(find_model(), Engine(backend="auto", device="cpu")).name
        == f"{installed_backends()[0]}-cpu"
    )
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    assert installed_backends() == ("torchscript",)
    assert make_backend(find_model(), Engine(backend="auto", device="cpu")).name == "torchscript-cpu"
    for name in BACKENDS[1:]:
        with pytest.raises(MissingExtra, match=rf"pip install 'horizon-rt\[{name}\]'"):
            make_backend(find_model(), Engine(backend=name, device="cpu"))


def test_signals_reach_a_process_that_has_had_several_openvino_nets() -> None:
    _made("openvino")
    code = """
import gc, os, signal, numpy
from horizon_rt.options import Engine
from horizon_rt.segmentation.backends import make_backend
from horizon_rt.models.weights import find_model
engine = Engine(backend="openvino", device="cpu")
kept = [make_backend(find_model(name=name), engine) for name in ("small", "nano")]
for backend in kept:
    backend(numpy.zeros((1, 3, 64, 96), numpy.float32))
while kept:
    del kept[0], backend
    gc.collect()
    backend = None
signal.signal(signal.SIGINT, lambda *_: print("told"))
os.kill(os.getpid(), signal.SIGINT)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stdout) == (0, "told\n"), done.stderr


@pytest.mark.parametrize("name", [name for name in BACKENDS if "bfloat16" in precisions_of(name)])
def test_what_the_processor_does_not_calculate_in_is_refused(
    name: BackendName, monkeypatch: pytest.MonkeyPatch
) -> None:
    _made(name)
    for room in ("segmentation.backends", "bench.job"):
        monkeypatch.setattr(f"horizon_rt.{room}.has_bfloat16", lambda: False)
    with pytest.raises(DeviceError, match=r"does not calculate in bfloat16.*--precision float32"):
        make_backend(find_model(), Engine(backend=name, device="cpu", precision="bfloat16"))
    assert all(engine.precision != "bfloat16" for engine in every_engine("cpu"))


@needs_bfloat16
def test_auto_takes_one_that_runs_in_the_precision() -> None:
    able = [name for name in installed_backends() if "bfloat16" in precisions_of(name)]
    assert (
        make_backend(find_model(), Engine(backend="auto", device="cpu", precision="bfloat16")).name
        == f"{able[0]}-cpu-bfloat16"
    )


def test_what_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown"):
        make_backend(find_model(), Engine(backend="tflite", device="cpu"))  # type: ignore[arg-type]
    with pytest.raises(DeviceError, match="runs on the CPU"):
        make_backend(find_model(), Engine(backend="onnx", device="cuda"))


def test_a_graph_is_made_once_and_only_of_the_right_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("HORIZON_RT_CACHE", str(tmp_path / "cache"))
    made: list[object] = []
    monkeypatch.setattr(onnx, "onnx_bytes", lambda net, **_: made.append(net) or b"graph %d" % len(made))
    old = find_model()
    card = write_manifest(tmp_path, "m", "nano", build_net("nano").state_dict(), old.sigma, {})
    with caplog.at_level(logging.WARNING):
        assert onnx.graph_of(card) == b"graph 1"
    assert "once" in caplog.text
    assert onnx.graph_of(card) == b"graph 1"
    other = write_manifest(tmp_path, "m", "nano", build_net("nano").state_dict(), old.sigma, {})
    assert onnx.graph_of(other) == b"graph 2"
    assert not list((tmp_path / "cache").glob("*.partial"))
    card.path.write_bytes(b"else")
    with pytest.raises(WeightsError, match="damaged or was changed"):
        onnx.graph_of(other)


def test_a_cache_that_cannot_be_written_costs_time_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("HORIZON_RT_CACHE", str(tmp_path / "file" / "cache"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(onnx, "onnx_bytes", lambda net, **_: b"graph")
    with caplog.at_level(logging.WARNING):
        assert onnx.graph_of(find_model()) == b"graph"
    assert "cannot be kept" in caplog.text


@pytest.mark.parametrize("choice", ["onnx", "openvino", "auto"])
@pytest.mark.parametrize("left", [0.0, 0.5, 0.999])
def test_a_graph_that_was_cut_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, choice: BackendChoice, left: float
) -> None:
    graph = onnx.graph_of(find_model())
    monkeypatch.setattr(onnx, "onnx_bytes", lambda net, **_: graph)
    monkeypatch.setenv("HORIZON_RT_CACHE", str(tmp_path))
    onnx.graph_of(find_model())
    [file] = tmp_path.iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole[: int(left * len(whole))])
    forget_nets()
    assert (
        make_backend(find_model(), Engine(backend=choice, device="cpu")).name
        == f"{choice.replace('auto', 'onnx')}-cpu"
    )
    assert file.read_bytes() == whole


def test_auto_goes_on_where_a_net_cannot_be_converted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(net: object, **_: object) -> bytes:
        raise NotImplementedError("an operator that\nthis version does not know")

    monkeypatch.setattr(onnx, "onnx_bytes", refuse)
    monkeypatch.setenv("HORIZON_RT_CACHE", str(tmp_path))
    forget_nets()
    for _ in range(2):
        assert make_backend(find_model(), Engine(backend="auto", device="cpu")).name == "torchscript-cpu"
    forget_nets()
    lines = [line for line in caplog.messages if f"cannot run {find_model().name} here" in line]
    assert len(lines) == len(installed_backends()) - 1
    assert all("an operator that this version" in line for line in lines)


def test_the_fastest_runs_where_nobody_chooses_and_the_header_says_which(clip: Path, cli: RunCli) -> None:
    fastest = f"{installed_backends()[0]}-cpu"
    assert hz.HorizonTracker(device="cpu").backend == fastest
    assert (
        RunOptions().engine.backend,
        EvalJob(datasets=()).options.engine.backend,
        Plan().engine.backend,
    ) == ("auto",) * 3
    for verb in ("track", "live", "batch", "eval"):
        [option] = [p for p in program.commands[verb].params if p.name == "backend"]
        assert option.default == "auto"
    done = cli("track", clip, "--device", "cpu", "--telemetry", "-")
    header = json.loads(done.out.splitlines()[0])
    assert (header["backend"], header["options"]["backend"]) == (fastest, "auto")


def test_trackers_share_a_session_but_no_buffers() -> None:
    for name in BACKENDS:
        _made(name)
        assert (_made(name) is _made(name)) == (name != "openvino")


@pytest.mark.parametrize("data", [b"", b"no graph", bytes(range(256)) * 9])
def test_a_damaged_graph_is_one_line(data: bytes) -> None:
    for runtime, package in ((OnnxRuntime, "onnxruntime"), (OpenVino, "openvino")):
        if importlib.util.find_spec(package):
            with pytest.raises(WeightsError, match="cannot be run"):
                runtime(data)


def test_track_takes_a_backend_and_says_what_is_missing(
    clip: Path, cli: RunCli, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli("track", clip, "--backend", "auto", "--telemetry", "-").code == 0
    assert cli("track", clip, "--backend", "tflite").code == 2
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    done = cli("track", clip, "--backend", "onnx", "--telemetry", "-")
    assert (done.code, len(done.errors)) == (1, 1)
    assert "pip install" in done.err


def test_a_graph_that_is_there_needs_no_pytorch() -> None:
    if "onnx" not in installed_backends():
        pytest.skip("onnx is not installed")
    make_backend(find_model(), Engine(backend="onnx", device="cpu"))
    code = "import sys, horizon_rt as hz; hz.HorizonTracker(backend='onnx'); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=100).returncode == 0
