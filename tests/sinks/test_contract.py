"""The contract of every sink that writes files."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import pytest
from support.sinks import context, frame, frame_times, horizon, run_python

from horizon_rt.errors import OutputError
from horizon_rt.recording.options import RecordOptions
from horizon_rt.recording.recorder import Recorder
from horizon_rt.sinks import ImageSink, Overlay, Sink, TelemetrySink, VideoSink, open_telemetry

CONTEXT = context()
COUNT = 4


@dataclass(frozen=True)
class Case:
    name: str
    open: Callable[[Path], Sink]
    count: Callable[[Path], int]
    atomic: bool = True


def video(path: Path) -> Sink:
    return VideoSink(path, CONTEXT, Overlay(CONTEXT.camera))


def json_lines(path: Path) -> int:
    return len([json.loads(line) for line in path.read_text().splitlines()]) - 1


def csv_rows(path: Path) -> int:
    with path.open(newline="") as file:
        return len(list(csv.DictReader(file)))


def pictures(path: Path) -> int:
    return sum(cv2.imread(str(p)) is not None for p in path.glob("*.png"))


def messages(path: Path) -> int:
    reader = pytest.importorskip("mcap.reader", reason="needs the extra 'mcap'")
    with path.open("rb") as file:
        return len(list(reader.make_reader(file).iter_messages(topics=["/horizon/diagnostics"])))


def rerun(path: Path) -> Sink:
    pytest.importorskip("rerun", reason="needs the extra 'rerun'")
    from horizon_rt.sinks.rerun import RerunSink

    return RerunSink(path, CONTEXT)


def logged_rolls(path: Path) -> int:
    from rerun.chunk import RrdReader

    chunks = RrdReader(path).stream().to_chunks()
    return sum(chunk.num_rows for chunk in chunks if (chunk.entity_path, chunk.is_static) == ROLL)


def parquet(path: Path) -> Sink:
    pytest.importorskip("pyarrow", reason="needs the extra 'tables'")
    pytest.importorskip("pandas", reason="needs the extra 'tables'")
    return open_telemetry(path, CONTEXT)


def parquet_rows(path: Path) -> int:
    reader = pytest.importorskip("pyarrow.parquet", reason="needs the extra 'tables'")
    return int(reader.read_metadata(path).num_rows)


def text_rows(path: Path, head: str) -> int:
    """Lines below that which begins so."""
    lines = path.read_text().splitlines()
    return len(lines) - 1 - next(i for i, line in enumerate(lines) if line.startswith(head))


ROLL = ("/attitude/roll", False)


def recording(path: Path) -> Sink:
    return Recorder(RecordOptions(record=str(path)), CONTEXT)


def recorded(path: Path) -> int:
    return len(frame_times(next(path.glob("*.mp4"))))


CASES = [
    Case("out.jsonl", lambda path: TelemetrySink(path, CONTEXT), json_lines),
    Case("out.csv", lambda path: TelemetrySink(path, CONTEXT), csv_rows),
    Case("out.mp4", video, lambda path: len(frame_times(path))),
    Case("out.mov", video, lambda path: len(frame_times(path))),
    Case("out.mkv", video, lambda path: len(frame_times(path))),
    Case("out.mcap", lambda path: open_telemetry(path, CONTEXT), messages),
    Case("out.gcsv", lambda path: open_telemetry(path, CONTEXT), lambda path: text_rows(path, "t,")),
    Case("out.motion.csv", lambda path: open_telemetry(path, CONTEXT), lambda path: text_rows(path, "frame")),
    Case("out.parquet", parquet, parquet_rows),
    Case("out.rrd", rerun, logged_rolls),
    Case("recording", recording, recorded, atomic=False),
    Case("pictures", lambda path: ImageSink(path, CONTEXT, Overlay(CONTEXT.camera)), pictures, atomic=False),
]
ATOMIC = [case for case in CASES if case.atomic]
every_sink = pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
atomic_sinks = pytest.mark.parametrize("case", ATOMIC, ids=[case.name for case in ATOMIC])


def write(sink: Sink, count: int = COUNT) -> None:
    for index in range(count):
        sink.write(frame(index), horizon(index))


def write_and_raise(sink: Sink, error: BaseException) -> None:
    with sink:
        write(sink)
        raise error


@every_sink
def test_everything_written_is_read_back(case: Case, tmp_path: Path) -> None:
    target = tmp_path / "new" / "folders" / case.name
    with case.open(target) as sink:
        write(sink)
        assert case.atomic != target.exists()
    assert case.count(target) == COUNT
    assert not list(tmp_path.rglob("*.partial"))


@every_sink
def test_close_and_abort_may_come_again(case: Case, tmp_path: Path) -> None:
    sink = case.open(tmp_path / case.name)
    write(sink)
    sink.close()
    sink.close()
    sink.abort()
    assert case.count(tmp_path / case.name) == COUNT
    with pytest.raises(ValueError, match="closed"):
        sink.write(frame(), horizon())


@atomic_sinks
def test_abort_keeps_a_readable_partial_file(case: Case, tmp_path: Path) -> None:
    sink = case.open(tmp_path / case.name)
    write(sink)
    sink.abort()
    sink.close()
    assert not (tmp_path / case.name).exists()
    assert case.count(tmp_path / f"{case.name}.partial") == COUNT


@every_sink
def test_ctrl_c_leaves_a_whole_file(case: Case, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        write_and_raise(case.open(tmp_path / case.name), KeyboardInterrupt())
    assert case.count(tmp_path / case.name) == COUNT


@atomic_sinks
def test_an_error_elsewhere_never_gives_the_final_name(case: Case, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError):
        write_and_raise(case.open(tmp_path / case.name), RuntimeError())
    assert [path.name for path in tmp_path.iterdir()] == [f"{case.name}.partial"]


@atomic_sinks
def test_an_older_output_stays_until_the_new_one_is_whole(case: Case, tmp_path: Path) -> None:
    target = tmp_path / case.name
    target.write_text("old")
    with case.open(target) as sink:
        write(sink)
        assert target.read_text() == "old"
    assert case.count(target) == COUNT


@every_sink
def test_a_place_that_is_no_folder_is_refused_in_one_line(case: Case, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write") as caught:
        case.open(tmp_path / "file" / case.name)
    assert "\n" not in str(caught.value)


@atomic_sinks
def test_a_folder_of_that_name_is_refused(case: Case, tmp_path: Path) -> None:
    (tmp_path / case.name).mkdir()
    with pytest.raises(OutputError, match="folder"):
        case.open(tmp_path / case.name)


def test_unknown_extensions_are_refused_with_those_that_work(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"\.jsonl"):
        TelemetrySink(tmp_path / "out.xls", CONTEXT)
    with pytest.raises(OutputError, match=r"\.mp4"):
        VideoSink(tmp_path / "out.avi2", CONTEXT, Overlay(CONTEXT.camera))
    assert not list(tmp_path.iterdir())


def test_pictures_keep_their_names_inside_the_folder(tmp_path: Path) -> None:
    names = {
        "a.jpg": "a.jpg",
        "sub/b.JPEG": "sub/b.JPEG",
        "c.tif": "c.tif.png",
        "../d.png": "d.png",
        "c.png": "c.png",
    }
    with ImageSink(tmp_path / "out", CONTEXT, Overlay(CONTEXT.camera)) as sink:
        for name in names:
            sink.write(frame(name=name, width=95, height=63), horizon())
    written = {str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*.*")}
    assert written == set(names.values())
    assert cv2.imread(str(tmp_path / "out" / "a.jpg")).shape == (63, 95, 3)


def test_pictures_never_replace_their_source(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="replace"):
        ImageSink(tmp_path, context(source=str(tmp_path)), Overlay(CONTEXT.camera))


def test_import_loads_no_heavy_library() -> None:
    heavy = "{'cv2', 'av', 'torch', 'numba', 'mcap', 'rerun'}"
    done = run_python(f"import horizon_rt.sinks; print({heavy} & set(sys.modules))")
    assert done.stdout.strip() == "set()", done.stderr
    done = run_python(f"import horizon_rt.sinks.telemetry; print({heavy} & set(sys.modules))")
    assert done.stdout.strip() == "set()", done.stderr
