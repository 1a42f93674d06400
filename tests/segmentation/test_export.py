"""Exported nets: loaded without this package in a process of its own, they give the same logits."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from support.cli import RunCli

from horizon_rt.errors import OutputError
from horizon_rt.models.nets import build_net
from horizon_rt.models.weights import find_model, load_net
from horizon_rt.segmentation.export import export_net

# Loads every file of a folder and keeps the answers to the picture that lies there.
READER = """
import sys, pathlib, torch
folder = pathlib.Path(sys.argv[1])
picture, answers = torch.load(folder / "picture"), {}
for path in sorted([*folder.glob("*.ts"), *folder.glob("*.PT"), *folder.glob("*.pt2")]):
    exported = path.suffix == ".pt2"
    net = torch.export.load(path).module() if exported else torch.jit.load(path)
    with torch.no_grad():
        answers[path.name] = net(picture.half() if "half" in path.name else picture)
assert "horizon_rt" not in sys.modules
torch.save(answers, folder / "answers")
"""


def test_exported_nets_answer_the_same_in_a_fresh_process(tmp_path: Path, cli: RunCli) -> None:
    torch.manual_seed(0)
    picture, net = torch.randn(1, 3, 64, 96), build_net("nano").eval()
    for name in ("a.PT", "half.ts", "half.pt2"):
        export_net(net, tmp_path / name, width=96, height=64, half=name.startswith("half"))
    for name in ("small.ts", "small.pt2"):
        assert cli("export", "small", tmp_path / name, "--size", "96x64").code == 0
    torch.save(picture, tmp_path / "picture")
    command = [sys.executable, "-I", "-W", "ignore", "-c", READER, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=150, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    answers = torch.load(tmp_path / "answers")
    assert len(answers) == 5
    with torch.inference_mode():
        expected = {"small": load_net(find_model(name="small")).eval()(picture), "a": net(picture)}
    for name, (mask, presence) in answers.items():
        right = expected["small" if name.startswith("small") else "a"]
        half = name.startswith("half")
        assert mask.dtype == presence.dtype == (torch.float16 if half else torch.float32)
        tolerance = (0.02 if half else 1e-5) * float(right[0].abs().max())
        assert torch.allclose(mask.float(), right[0], atol=tolerance), name
        assert torch.allclose(presence.float(), right[1], atol=max(tolerance, 1e-5)), name


# The same for ONNX Runtime and OpenVINO, without PyTorch.
GRAPH_READER = """
import sys, pathlib, numpy, onnxruntime, openvino
folder = pathlib.Path(sys.argv[1])
picture, answers = numpy.load(folder / "picture.npy"), {}
for path in sorted([*folder.glob("*.onnx"), folder / "nano.graph"]):
    given = picture.astype(numpy.float16) if "half" in path.name else picture
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    answers[path.name] = session.run(["mask", "presence"], {"picture": given})[0]
core = openvino.Core()
net = core.compile_model(str(folder / "nano.xml"), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
answers["nano.xml"] = net([picture])["mask"]
assert not {"horizon_rt", "torch"} & set(sys.modules)
numpy.savez(folder / "answers", **answers)
"""


def test_exported_graphs_answer_the_same_without_pytorch(tmp_path: Path, cli: RunCli) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("openvino")
    torch.manual_seed(0)
    picture, net = torch.randn(1, 3, 96, 128), build_net("nano").eval()
    export_net(net, tmp_path / "half.onnx", width=96, height=64, half=True)
    assert cli("export", "nano", tmp_path / "nano.graph", "--format", "onnx").code == 0
    done = cli("export", "nano", tmp_path / "nano.xml")
    assert done.code == 0, done.err
    assert [line.rpartition(".")[2] for line in done.errors[-2:]] == ["xml", "bin"]
    np.save(tmp_path / "picture.npy", picture.numpy())
    command = [sys.executable, "-I", "-W", "ignore", "-c", GRAPH_READER, str(tmp_path)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=150, cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    session = onnxruntime.InferenceSession((tmp_path / "nano.graph").read_bytes())
    about = session.get_modelmeta()
    card = find_model(name="nano")
    assert about.producer_name == "horizon-rt"
    assert about.custom_metadata_map["horizon_rt.model"] == card.name
    assert about.custom_metadata_map["horizon_rt.weights_sha256"] == card.sha256
    assert (tmp_path / "nano.xml").read_text().count(f'value="{card.sha256}"') == 1
    with np.load(tmp_path / "answers.npz") as stored:
        answers = dict(stored)
    with torch.inference_mode():
        shipped, fresh = load_net(card).eval()(picture)[0], net(picture)[0]
    for name in ("nano.graph", "nano.xml"):
        assert answers[name] == pytest.approx(shipped.numpy(), abs=1e-3)
    assert answers["half.onnx"].dtype == np.float16
    assert answers["half.onnx"] == pytest.approx(fresh.numpy(), abs=0.02 * float(fresh.abs().max()))


def test_exporting_leaves_the_net_alone(tmp_path: Path) -> None:
    net = build_net("nano").train()
    export_net(net, tmp_path / "a.ts", width=64, height=32, half=True)
    assert net.training
    assert all(p.dtype == torch.float32 and p.requires_grad for p in net.parameters())


@pytest.mark.parametrize("name", ["a.tflite", "a", "a.pt3", ".pt"])
def test_unknown_suffixes_are_refused_in_one_line(tmp_path: Path, cli: RunCli, name: str) -> None:
    with pytest.raises(OutputError, match=r"\.ts, \.pt.*\.pt2"):
        export_net(build_net("nano"), tmp_path / name, width=64, height=32)
    done = cli("export", "small", tmp_path / name)
    assert (done.code, len(done.errors)) == (1, 1)
    assert cli("export", "small", tmp_path / "a.ts", "--format", "openvino").code == 1  # its weights' name
    assert not list(tmp_path.iterdir())


def test_unknown_models_and_odd_sizes_are_refused(tmp_path: Path, cli: RunCli) -> None:
    done = cli("export", "base", tmp_path / "a.ts")
    assert (done.code, len(done.errors)) == (1, 1)
    assert "no model 'base'" in done.errors[0]
    assert cli("export", "small", tmp_path / "a.ts", "--size", "100").code == 2
    assert cli("export", "small", tmp_path / "a.ts", "--size", "96x100").code == 2
    assert not list(tmp_path.iterdir())
