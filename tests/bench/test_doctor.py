"""What the machine has, and what it says where something is missing."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
from support.cli import RunCli

from horizon_rt.bench import doctor
from horizon_rt.models import weights


def states() -> dict[str, tuple[str, str]]:
    return {finding.part: (finding.state, finding.text) for finding in doctor.examine()}


def test_doctor_prints_a_line_for_each_part(cli: RunCli) -> None:
    done = cli("doctor")
    assert (done.code, done.err) == (0, "")
    rows = dict(line.split("\t", 1) for line in done.out.splitlines())
    parts = ["program", "packages", "CPU", "GPU", "cameras", "display"]
    parts += ["decoders", "hardware decoding", "encoders", "weights", "backends", "analysis", "profiles"]
    assert list(rows) == ["part", *parts]
    assert rows["weights"].startswith("ok\t")
    assert "ms for a picture" in rows["analysis"]


def test_missing_weights_are_a_failure(cli: RunCli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "weights_folder", lambda: tmp_path)
    done = cli("doctor")
    assert (done.code, done.err) == (1, "")
    rows = dict(line.split("\t", 1) for line in done.out.splitlines())
    assert rows["weights"].startswith("missing\t")
    assert "manifest" in rows["weights"]
    assert rows["analysis"].startswith("missing\t")


def test_what_can_be_done_without_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    for module in ("av", "av.codec"):
        monkeypatch.setattr(f"{module}.codecs_available", {"h264", "hevc"})
    monkeypatch.setitem(doctor.PARTS, "analysis", doctor.PARTS["program"])
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    found = states()
    assert {part for part, (state, _) in found.items() if state == "missing"} == set()
    assert found["GPU"][0] == "none"
    assert found["display"][0] == "none"
    assert found["decoders"] == ("none", "cannot read vp9, av1, mjpeg; install PyAV's own wheel")
    assert found["hardware decoding"][0] == "none"
    assert found["encoders"][0] == "none"


def test_a_part_that_cannot_be_examined_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def _odd() -> doctor.Finding:
        raise RuntimeError("broken\ndriver")

    monkeypatch.setitem(doctor.PARTS, "odd", _odd)
    finding = doctor.examine_part("odd")
    assert (finding.part, finding.state) == ("odd", "missing")
    assert "RuntimeError: broken driver" in finding.text


def test_absent_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        if name == "numba":
            raise PackageNotFoundError
        return "1.0"

    monkeypatch.setattr(doctor, "version", version)
    finding = doctor.Finding("packages", "missing", "pip install numba")
    assert doctor.examine_part("packages") == finding


def test_cameras_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    devices = [Path("/dev/video8"), Path("/dev/video9")]
    monkeypatch.setattr(Path, "glob", lambda *_: iter(devices))
    monkeypatch.setattr("os.access", lambda path, _: path == devices[0])
    finding = doctor.examine_part("cameras")
    assert finding.state == "ok"
    assert finding.text == "/dev/video8; no permission for video9; join the group video"
