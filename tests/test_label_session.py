"""Labellings that are begun, continued, cut short, spoilt; and frames taken from real sources."""

from __future__ import annotations

import json
import threading
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import full_disk, horizon_luma
from edges_support import apart_px
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from label_support import HEIGHT, WIDTH, rendered_session
from sources_support import av_frame, write_clip

from horizon_rt.camera import Pinhole
from horizon_rt.datasets import read_horizons
from horizon_rt.errors import DatasetError, HorizonError, OutputError
from horizon_rt.geometry import HorizonLine
from horizon_rt.label import journal
from horizon_rt.label.extract import extract
from horizon_rt.label.session import OPEN, Mark, Session
from horizon_rt.sources import open_source
from horizon_rt.tracker import HorizonTracker

LINES = [HorizonLine(4.0, 10.0), HorizonLine(90.0, -7.0), None, HorizonLine(-170.0, 5.0)]


def _again(folder: Path) -> Session:
    return Session(folder, source="clip.mp4", every=99)


def test_a_labelling_goes_on_where_it_stopped(tmp_path: Path) -> None:
    first = rendered_session(tmp_path / "set", LINES)
    for number, line in enumerate(LINES[:3]):
        first.mark(number, Mark("none") if line is None else Mark("line", line))
    first.mark(3, Mark("skipped"))
    second = _again(first.folder)
    assert second.frames == first.frames
    assert second.complete
    assert second.every == 5
    assert [mark.status for mark in second.marks] == ["line", "line", "none", "skipped"]
    for before, after in zip(first.marks[:2], second.marks[:2], strict=True):
        assert before.line is not None
        assert after.line is not None
        assert apart_px(after.line, before.line, WIDTH, HEIGHT) < 2e-3
    second.mark(3, OPEN)
    assert [mark.status for mark in _again(first.folder).marks] == ["line", "line", "none", "open"]


def test_a_journal_that_was_cut_short_loses_its_last_line_only(tmp_path: Path) -> None:
    session = rendered_session(tmp_path / "set", LINES)
    path = session.folder / "label.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole[: whole.rindex(b'{"file":"clip_000003') + 20])
    again = _again(session.folder)
    assert [frame.index for frame in again.frames] == [0, 1, 2]
    assert not again.complete
    again.add(session.frames[3], b"picture")
    again.finish()
    assert path.read_bytes() == whole


def test_what_finds_no_room_in_the_journal_leaves_nothing_there(tmp_path: Path) -> None:
    session = rendered_session(tmp_path / "set", LINES)
    path = session.folder / "label.jsonl"
    size = path.stat().st_size
    with full_disk(size + 9), pytest.raises(OutputError, match=r"label\.jsonl: File too large"):
        session.mark(0, Mark("skipped"))
    session.mark(1, Mark("skipped"))
    assert all(json.loads(line) for line in path.read_text().splitlines())
    assert [mark.status for mark in _again(session.folder).marks] == ["open", "skipped", "open", "open"]


@pytest.mark.parametrize("every", ["0", "-3", "NaN", "1e999", "16.5", "true", "null", '"5"', "9" * 400])
def test_a_journal_of_no_possible_spacing_is_refused(tmp_path: Path, every: str) -> None:
    session = rendered_session(tmp_path / "set", LINES)
    path = session.folder / "label.jsonl"
    path.write_text(path.read_text().replace('"every":5', f'"every":{every}'))
    with pytest.raises(DatasetError, match=r"no journal of a labelling: every is a whole number"):
        _again(session.folder)


def test_other_folders_and_other_sources_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"notes\.txt"):
        _again(tmp_path)
    session = rendered_session(tmp_path / "set", LINES)
    with pytest.raises(DatasetError, match=r"clip\.mp4, not other\.mp4"):
        Session(session.folder, source="other.mp4", every=1)
    session.mark(0, Mark("none"))
    table = session.folder / "horizon.csv"
    table.write_text(table.read_text().replace("clip_000000", "stranger"))
    with pytest.raises(DatasetError, match="stranger"):
        _again(session.folder)


_values = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12)
_entry = st.dictionaries(
    st.sampled_from(["format", "source", "every", "file", "index", "width", "height", "time_s", "complete"])
    | st.sampled_from(["skipped", "proposal", "view"]),
    _values | st.dictionaries(st.sampled_from(["view", "confidence", "angle_deg", "offset_px"]), _values),
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.binary(max_size=200)
    | st.lists(_entry, max_size=4).map(
        lambda entries: b"".join(
            journal.line(e) for e in [{"format": journal.FORMAT, "source": "s", "every": 1}, *entries]
        )
    )
)
def test_any_journal_is_read_or_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "label.jsonl"
    path.write_bytes(data)
    with suppress(HorizonError):
        journal.load(path)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_journal_is_read_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    folder = tmp_path / "set"
    path = folder / "label.jsonl"
    whole = path.read_bytes() if path.exists() else b""
    if not whole:
        rendered_session(folder, LINES[:1])
        whole = path.read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    path.write_bytes(whole[:at] + data.draw(st.binary(max_size=3)) + whole[at + 1 :])
    try:
        _again(folder)
    except HorizonError:
        pass
    finally:
        path.write_bytes(whole)


def test_no_reader_ever_meets_half_a_table(tmp_path: Path) -> None:
    session = rendered_session(tmp_path / "set", LINES)
    done, seen = threading.Event(), []

    def write() -> None:
        for i in range(60):
            session.mark(i % 4, Mark("line", HorizonLine(i / 10, 1.0)) if i % 3 else OPEN)
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not done.is_set():
        seen.append(len(read_horizons(session.folder)))
    writer.join()
    assert max(seen) <= 4


# --- frames from sources


@pytest.fixture(scope="module")
def tracker() -> HorizonTracker:
    return HorizonTracker(Pinhole.from_hfov(96, 64, 70), smooth="none")


def _extract(source: Path, session: Session, tracker: HorizonTracker) -> None:
    with open_source(source) as opened:
        extract(opened, tracker, Pinhole.from_hfov(96, 64, 70), session, threading.Event())


def _horizons(folder: Path, count: int) -> Path:
    folder.mkdir()
    for i in range(count):
        tilt = 0.3 * (i / count - 0.5)
        cv2.imwrite(str(folder / f"p{i}.{'jpg' if i % 2 else 'png'}"), horizon_luma(96, 64, tilt))
    return folder


def test_pictures_are_saved_byte_for_byte_under_their_names(tmp_path: Path, tracker: HorizonTracker) -> None:
    folder = _horizons(tmp_path / "in", 4)
    session = Session(tmp_path / "set", source="in", every=1)
    _extract(folder, session, tracker)
    assert [frame.file for frame in session.frames] == ["p0.png", "p1.jpg", "p2.png", "p3.jpg"]
    for number, frame in enumerate(session.frames):
        assert session.image_path(number).read_bytes() == (folder / frame.file).read_bytes()
    assert session.complete


def test_a_turned_jpeg_is_saved_upright(tmp_path: Path, tracker: HorizonTracker) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    rng = np.random.default_rng(0)
    image = cv2.GaussianBlur(rng.integers(0, 255, (64, 96), dtype=np.uint8), (0, 0), 4)
    data = cv2.imencode(".jpg", image)[1].tobytes()
    exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"  # orientation 6
    segment = b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif
    (folder / "x.jpg").write_bytes(data[:2] + segment + data[2:])
    session = Session(tmp_path / "set", source="in", every=1)
    _extract(folder, session, tracker)
    (frame,) = session.frames
    saved = cv2.imread(str(session.image_path(0)), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    assert (frame.file, frame.width, frame.height) == ("x.png", 64, 96)
    assert saved.shape[:2] == (96, 64)


def test_frames_of_a_video_are_saved_as_it_shows_them(tmp_path: Path, tracker: HorizonTracker) -> None:
    lumas = [horizon_luma(96, 64, 0.2 * np.sin(i)) for i in range(12)]
    chroma = [np.full((32, 48), 128, np.uint8)] * 2
    path = write_clip(tmp_path / "flight.mkv", [av_frame("yuv420p", (luma, *chroma)) for luma in lumas])
    session = Session(tmp_path / "set", source="flight.mkv", every=4)
    _extract(path, session, tracker)
    assert len(session.frames) == 3
    for number, frame in enumerate(session.frames):
        assert frame.file == f"flight_{frame.index:06d}.png"
        saved = cv2.imread(str(session.image_path(number)), cv2.IMREAD_GRAYSCALE).astype(int)
        expected = (lumas[frame.index].astype(float) - 16) * 255 / 219
        assert np.abs(saved - expected).max() <= 2


def test_an_interrupted_extraction_is_taken_up_again(tmp_path: Path, tracker: HorizonTracker) -> None:
    folder = _horizons(tmp_path / "in", 6)
    whole = Session(tmp_path / "whole", source="in", every=1)
    _extract(folder, whole, tracker)
    part = Session(tmp_path / "part", source="in", every=1)
    for number in range(2):
        part.add(whole.frames[number], whole.image_path(number).read_bytes())
    part.mark(0, Mark("none"))
    again = Session(part.folder, source="in", every=1)
    _extract(folder, again, tracker)
    assert again.complete
    names = [[(frame.file, frame.index) for frame in session.frames] for session in (again, whole)]
    assert names[0] == names[1]
    assert [mark.status for mark in again.marks] == ["none"] + ["open"] * 5


def test_stopping_ends_an_extraction(tmp_path: Path, tracker: HorizonTracker) -> None:
    session = Session(tmp_path / "set", source="in", every=1)
    stop = threading.Event()
    stop.set()
    with open_source(_horizons(tmp_path / "in", 4)) as opened:
        extract(opened, tracker, Pinhole.from_hfov(96, 64, 70), session, stop)
    assert not session.complete
    assert not session.frames
