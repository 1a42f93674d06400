"""Several cameras in one process: what each writes, who fails, what ends them, and the net they share."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from support.cli import RunCli, lines

from horizon_rt.errors import HorizonError, OptionsError, SourceNotFound
from horizon_rt.horizon import Horizon
from horizon_rt.options import Engine, Lens, RunOptions
from horizon_rt.pipeline.outputs import Outputs
from horizon_rt.pipeline.several import Feed, feeds_of, run_several
from horizon_rt.pipeline.stages import RunSummary
from horizon_rt.sources import Source, open_source
from horizon_rt.sources.synthetic import SyntheticOptions, make_clip
from horizon_rt.tracker import HorizonTracker

Start = Callable[..., "subprocess.Popen[str]"]
OPTIONS = RunOptions(engine=Engine(model="small"))
GRAPH = "lavfi:testsrc2=size=48x32:rate=20"
SHORT = "synth:sea?size=96x64&seconds=1&motion=rest"


def absent() -> Source:
    raise SourceNotFound("nobody is there")


def telemetry(folder: Path) -> Outputs:
    return Outputs(telemetry=(str(folder / "{number}-{name}.jsonl"),))


def run(feeds: list[Feed], on_end: Callable[[Feed, RunSummary | Exception], object]) -> None:
    run_several(feeds, on_end=on_end, on_page=lambda *_: None, on_line=lambda *_: None)


def test_one_that_fails_and_one_that_ends_leave_the_others_which_a_signal_ends(tmp_path: Path) -> None:
    sources = [("bow", partial(open_source, GRAPH)), ("gone", absent), ("", partial(open_source, SHORT))]
    ended: dict[str, RunSummary | Exception] = {}

    def on_end(feed: Feed, outcome: RunSummary | Exception) -> None:
        ended[feed.name] = outcome
        if len(ended) == 2:
            threading.Timer(1.0, signal.raise_signal, [signal.SIGTERM]).start()

    run(feeds_of(sources, OPTIONS, telemetry(tmp_path)), on_end)
    assert isinstance(ended["gone"], HorizonError)
    summary, short = ended["bow"], ended["camera3"]
    assert isinstance(summary, RunSummary)
    assert isinstance(short, RunSummary)
    assert (summary.interrupted, short.interrupted) == (True, False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1-bow.jsonl", "3-camera3.jsonl"]
    assert len(lines(tmp_path / "1-bow.jsonl")) == 1 + summary.frames
    assert summary.frames > short.frames > 5


def test_a_signal_does_not_wait_for_what_is_still_being_opened() -> None:
    released = threading.Event()

    def slow() -> Source:
        released.wait(20)
        released.set()
        raise SourceNotFound("nobody waits for this")

    threading.Timer(0.5, signal.raise_signal, [signal.SIGTERM]).start()
    run(feeds_of([("a", slow), ("b", slow)], OPTIONS, Outputs()), lambda *_: None)
    assert not released.is_set(), "it waited until the opening gave up"
    released.set()


def test_names_and_numbers_stand_for_each_camera() -> None:
    outputs = Outputs(
        telemetry=("{name}.jsonl",), overlay=Path("{number}/o.mp4"), rerun=Path("{name}.rrd"),
        links=("mavlink://host?system={number}", "mqtt://host/{name}"), web="127.0.0.1:870{number}",
    )  # fmt: skip
    options = RunOptions(lens=Lens(camera_profile="lenses/{name}.toml"))
    first, second = feeds_of([("bow", absent), ("", absent)], options, outputs)
    assert (first.name, second.name) == ("bow", "camera2")
    assert first.options.lens.camera_profile == "lenses/bow.toml"
    assert second.outputs == Outputs(
        telemetry=("camera2.jsonl",), overlay=Path("2/o.mp4"), rerun=Path("camera2.rrd"),
        links=("mavlink://host?system=2", "mqtt://host/camera2"), web="127.0.0.1:8702",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("outputs", "told"),
    [
        (Outputs(telemetry=("t.jsonl",)), r"need \{name\} or \{number\} in t.jsonl"),
        (Outputs(telemetry=("-",)), "in -"),
        (Outputs(overlay=Path("o.mp4")), "in o.mp4"),
        (Outputs(links=("mqtt://me:hunter2@host/x?a=b",)), "in mqtt://host/x$"),
        (Outputs(web="8700"), "in 8700"),
    ],
)
def test_two_cameras_share_no_output(outputs: Outputs, told: str) -> None:
    with pytest.raises(OptionsError, match=told):
        feeds_of([("a", absent), ("b", absent)], OPTIONS, outputs)


def test_two_cameras_share_no_name(cli: RunCli) -> None:
    with pytest.raises(OptionsError, match="two cameras are called a"):
        feeds_of([("a", absent), ("a", absent)], OPTIONS, Outputs())
    done = cli("live", "a=0", "a=1", "--no-window")
    assert (done.code, "two cameras are called a" in done.err) == (2, True)


def test_the_command_line_tells_of_each(cli: RunCli, tmp_path: Path) -> None:
    template = tmp_path / "{name}.jsonl"
    done = cli(
        "live", f"bow={SHORT}", "gone=/nowhere.mp4", SHORT, "--model", "small", "--telemetry", template
    )  # fmt: skip
    assert done.code == 1
    assert {path.name for path in tmp_path.iterdir()} == {"bow.jsonl", "camera3.jsonl"}
    told = done.errors
    assert told[0] == "several cameras: going on without a window"
    assert [line for line in told if line.startswith("gone: /nowhere.mp4")]
    for name in ("bow", "camera3"):
        assert [line for line in told if line.startswith(f"{name}: ") and "frames/s" in line]
        assert f"written: {tmp_path / name}.jsonl" in told


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM for others")
def test_a_signal_ends_all_with_whole_files(process: Start, tmp_path: Path) -> None:
    site = tmp_path / "site.toml"
    source = f'source = ["bow={GRAPH}", "stern={GRAPH}"]\n'
    site.write_text(source + 'telemetry = "{name}.jsonl"\nwindow = false\nmodel = "small"\n')
    child = process("live", "--config", site)
    end = time.monotonic() + 60
    while any(count_lines(tmp_path / f"{name}.jsonl.partial") < 20 for name in ("bow", "stern")):
        assert child.poll() is None, child.communicate()[1]
        assert time.monotonic() < end
        time.sleep(0.05)
    child.send_signal(signal.SIGTERM)
    assert child.wait(timeout=30) == 0
    assert all(len(lines(tmp_path / f"{name}.jsonl")) >= 20 for name in ("bow", "stern"))
    assert not list(tmp_path.glob("*.partial"))


def count_lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


# --- the net that they share


def answers(tracker: HorizonTracker, seed: int) -> Iterator[Horizon]:
    """Of a clip, each after the look before it is done, so that they are always the same."""
    clip = make_clip(SyntheticOptions(kind="sea", size="320x240", seconds=1.0, seed=seed))
    for k in range(20):
        while tracker.is_looking:
            time.sleep(0.001)
        yield tracker.update(clip.frame(k))


def test_trackers_with_one_net_say_what_each_says_alone() -> None:
    def one(shares: HorizonTracker | None = None) -> HorizonTracker:
        return HorizonTracker(real_time=True, model="small", device="cpu", shares=shares)

    alone = [list(answers(one(), seed)) for seed in (1, 2, 3)]
    first = one()
    trackers = [first, one(first), one(first)]
    with ThreadPoolExecutor(3) as threads:
        together = list(threads.map(lambda t, s: list(answers(t, s)), trackers, (1, 2, 3)))
    for own, shared in zip(alone, together, strict=True):
        assert [h.up for h in own] == [h.up for h in shared]
        assert own[-1].up is not None


def test_a_net_is_in_memory_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the backend that each tracker otherwise has for itself."""
    pytest.importorskip("openvino", reason="needs OpenVINO")
    from horizon_rt.segmentation import openvino

    made = []

    class Counted(openvino.OpenVino):
        def __init__(self, *arguments: object, **options: object) -> None:
            made.append(self)
            super().__init__(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(openvino, "OpenVino", Counted)
    engine = Engine(model="small", backend="openvino")
    first = HorizonTracker(engine=engine, real_time=True)
    for _ in range(3):
        HorizonTracker(engine=engine, real_time=True, shares=first)
    assert len(made) == 1
    HorizonTracker(engine=engine, smooth="none", real_time=True, shares=first)  # looks in its own thread
    assert len(made) == 2
