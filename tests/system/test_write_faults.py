"""The short form of benchmarks/write_faults.py: a disk that fails at some of the writes of each command."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest
from support import ROOT
from support.cli import RunCli


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import write_faults

    return write_faults


@pytest.mark.parametrize("name", ["track", "track offline", "batch", "level", "convert", "live"])
def test_a_disk_that_fails_is_told_and_nothing_is_half_done(
    faults: ModuleType, cli: RunCli, clip: Path, tmp_path: Path, name: str
) -> None:
    telemetry = tmp_path / "t.jsonl"
    assert cli("track", clip, "--telemetry", telemetry, "--model", "nano").code == 0
    found = faults.measure(name, str(clip), str(telemetry), tmp_path / "out", 3)
    assert found["requests"] > 10
    assert found["faults"] == []
