"""Boxes of every format by hand-made files, and what is written of them; damaged files are refused."""

from __future__ import annotations

import csv
import json
import math
import random
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.cli import RunCli, write_horizon

from horizon_rt.camera import Camera
from horizon_rt.detections import Box, Boxes, read_boxes
from horizon_rt.detections.drawing import BoxOverlay, range_text
from horizon_rt.detections.judging import AnnotationSink, judge
from horizon_rt.errors import DetectionsError, OutputError
from horizon_rt.frame import Frame
from horizon_rt.geometry import Range, UpVector
from horizon_rt.geometry.earth import dip
from horizon_rt.horizon import Attitude, Horizon, Observation
from horizon_rt.sinks.overlay import Overlay

CAMERA = Camera.from_hfov(640, 360, 70)
EDGES = (10.0, 20.0, 50.0, 100.0)


def horizon(frame: int = 0, file: str | None = None, *, height_m: float | None = 20.0) -> Horizon:
    """Level: the middle row is the border of sky and sea, but for the dip."""
    up = UpVector.from_roll_pitch(0, 0)
    seen = Observation(view="horizon", confidence=1.0, sky_fraction=0.5)
    return Horizon(
        frame=frame, time_s=frame / 25, state="tracking", observation=seen, file=file, camera=CAMERA,
        attitude=Attitude(up=up, covariance=up.isotropic_covariance(0.05)),
        width=640, height=360, height_m=height_m,
    )  # fmt: skip


COCO = {
    "info": {"by": "me"},
    "images": [{"id": 7, "file_name": "deck/a.jpg", "width": 640, "height": 360}],
    "categories": [{"id": 3, "name": "ship"}],
    "annotations": [
        {"id": 1, "image_id": 7, "category_id": 3, "bbox": [10, 20, 40, 80], "score": 0.5, "mine": [1]},
        {"id": 2, "image_id": 7, "category_id": 3, "segmentation": []},
    ],
}
FILES: dict[str, tuple[str, dict[str, Any]]] = {
    "corners.csv": ("file,x1,y1,x2,y2,label\na.jpg,10,20,50,100,ship\n", {"file": "a.jpg"}),
    "sizes.csv": ("\ufeffFrame, X ,Y,Width,Height,label\n12,10,20,40,80,ship\n", {"frame": 12}),
    "text.csv": ('file,bbox,label\na.jpg,"[10, 20, 40, 80]",ship\n', {"file": "a.jpg"}),
    "names.csv": ("image_id,xmin,ymin,xmax,ymax,label\nx/a.jpg,10,20,50,100,ship\n", {"file": "x/a.jpg"}),
    "list.json": ('[{"frame": 12, "box": [10, 20, 50, 100], "label": "ship"}]', {"frame": 12}),
    "results.json": ('[{"image_id": 12, "bbox": [10, 20, 40, 80], "label": "ship"}]', {"frame": 12}),
    "named.json": ('{"boxes": [{"file": "a.jpg", "x": 10, "y": 20, "w": 40, "h": 80, "label": "ship"}]}',
                   {"file": "a.jpg"}),
    "a.jsonl": ('{"frame": 12, "x1": 10, "y1": 20, "x2": 50, "y2": 100, "label": "ship"}\n\n', {"frame": 12}),
    "coco.json": (json.dumps(COCO), {"file": "deck/a.jpg"}),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_every_format_gives_the_box(tmp_path: Path, name: str) -> None:
    text, place = FILES[name]
    (tmp_path / name).write_text(text, encoding="utf-8")
    (box,) = read_boxes(tmp_path / name).all
    assert box.edges == EDGES
    assert {key: getattr(box, key) for key in place} == place
    assert box.label == "ship"
    assert box.in_picture(640, 360) == (9.5, 19.5, 49.5, 99.5)  # the first pixel's centre is 0


def test_yolo_gives_the_box(tmp_path: Path) -> None:
    (tmp_path / "clip_13.txt").write_text(f"1 {30 / 640} {60 / 360} {40 / 640} {80 / 360} 0.75\n")
    (tmp_path / "classes.txt").write_text("buoy\nship\n")
    boxes = read_boxes(tmp_path)
    (box,) = boxes.all
    assert box.in_picture(640, 360) == pytest.approx((9.5, 19.5, 49.5, 99.5))
    assert (box.label, box.values["score"], box.frame, box.file) == ("ship", 0.75, 12, "clip_13")
    assert boxes.of(12, None) == [box]
    assert boxes.of(0, "pictures/clip_13.jpg") == [box]
    assert boxes.of(12, "other.jpg") == []


def test_pictures_of_one_name_are_told_by_their_folders() -> None:
    boxes = Boxes([Box((0, 0, 1, 1), file=f"{camera}/0001.jpg") for camera in ("cam1", "cam2")])
    assert boxes.of(0, "/flown/cam2/0001.jpg") == boxes.all[1:]
    assert boxes.of(0, "cam1/0001.jpg") == boxes.all[:1]
    with pytest.raises(DetectionsError, match=r"cam1/0001.jpg and cam2/0001.jpg both fit 0001.jpg"):
        boxes.of(0, "0001.jpg")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.csv", "frame,x1,y1,x2\n1,2,3,4\n", "line 2: a box needs x1, y1, x2, y2"),
        ("a.csv", "frame,x1,y1,x2,y2\n1,2,3,nan,5\n", "line 2: x1, y1, x2, y2 is a number, got 'nan'"),
        ("a.csv", "frame,x1,y1,x2,y2\n1,9,3,4,5\n", "left and top before right and bottom"),
        ("a.csv", "frame,x1,y1,x2,y2\n1.5,1,3,4,5\n", "frame is a whole number"),
        ("a.csv", "x1,y1,x2,y2\n1,3,4,5\n", "belongs to a frame or to a file"),
        ("a.json", "{}", "a list of boxes is needed"),
        ("a.json", "[1]", "box 1: no object"),
        ("a.json", "[" * 100_000, "no JSON: its values are nested too deep"),
        ("a.json", '{"annotations": [{"bbox": [1, 2, 3, 4], "image_id": 4}]}', "no image of its image_id"),
        ("a.json", '{"annotations": 3}', "annotations is a list of objects"),
        ("a.jsonl", "{]\n", "line 1: no JSON"),
        ("a.txt", "0 0.5 0.5 0.1\n", "line 1: needs class"),
        ("a.txt", "0.5 0.5 0.5 0.1 0.1\n", "a class is a whole number"),
        ("a.xml", "<a/>", "boxes are read from .csv"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(tmp_path: Path, name: str, text: str, said: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(DetectionsError) as caught:
        read_boxes(tmp_path / name)
    assert said in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / name))
    assert "\n" not in str(caught.value)


def test_no_file_and_no_texts_are_refused(tmp_path: Path) -> None:
    for path, said in ((tmp_path / "no.csv", "cannot be read"), (tmp_path, "no .txt")):
        with pytest.raises(DetectionsError, match=said):
            read_boxes(path)


@settings(max_examples=300, deadline=None)
@given(name=st.sampled_from([*FILES, "a.txt"]), seed=st.integers(0, 2**32 - 1))
def test_damaged_files_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, name: str, seed: int
) -> None:
    rng = random.Random(seed)
    data = bytearray(FILES.get(name, ("0 0.5 0.5 0.1 0.1 0.9\n",))[0].encode())
    for _ in range(rng.randint(1, 6)):
        k = rng.randrange(len(data)) if data else 0
        data[k : k + rng.choice((0, 1, 8))] = rng.choice(
            (b"", b"\x00", b"\xff", b'"', b",", b"[", b"{", b"9" * 400, b"-1e999", b"null", b"\n", b"NaN")
        )
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(data)
    try:
        boxes = read_boxes(path).all
    except DetectionsError as error:
        boxes, said = [], str(error)
    else:
        said = ""
    assert "\n" not in said
    assert all(math.isfinite(sum(box.edges)) for box in boxes)


# --- what is found


def test_boxes_get_side_and_range() -> None:
    across = CAMERA.fy * math.tan(dip(20.0) + math.radians(2))
    boxes = {
        "sky": Box((100, 50, 140, 80), frame=0),
        "horizon": Box((100, 150, 140, 180.5 + across), frame=0),
        "sea": Box((300.5, 250, 340.5, 300), frame=0),
    }
    found = {name: judge(box, horizon()) for name, box in boxes.items()}
    assert {name: one.side for name, one in found.items()} == {name: name for name in boxes}
    assert found["sky"].range is None
    assert found["horizon"].range is not None
    assert found["sea"].range == horizon().range_to(320.0, 299.5)
    assert judge(boxes["sea"], horizon(height_m=None)).range is None


def _written(target: Path, boxes: Boxes) -> None:
    sink = AnnotationSink(str(target), boxes)
    for k in range(20):
        sink.put(horizon(k, "a.jpg" if k == 3 else f"{k}.jpg"))
    sink.close()


def test_a_table_keeps_what_was_read(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text(
        "file,x1,y1,x2,y2,label,mine\na.jpg,10,20,50,100,ship,x\nb.jpg,1,2,3,4,=bad,\na.jpg,10,300,50,350,buoy,\n"
    )
    _written(tmp_path / "out.csv", read_boxes(tmp_path / "in.csv"))
    rows = list(csv.DictReader((tmp_path / "out.csv").read_text().splitlines()))
    assert [row["side"] for row in rows] == ["sky", "", "sea"]
    assert [row["label"] for row in rows] == ["ship", "./=bad", "buoy"]
    assert rows[0]["mine"] == "x"
    assert float(rows[2]["range_m"]) > 3 * float(rows[2]["range_sd_m"]) > 0
    assert rows[0]["range_m"] == ""


@pytest.mark.parametrize("suffix", [".json", ".jsonl"])
def test_records_keep_what_was_read(tmp_path: Path, suffix: str) -> None:
    (tmp_path / "in.json").write_text('[{"frame": 5, "box": [10, 300, 50, 350], "track": {"id": 3}}]')
    _written(tmp_path / f"out{suffix}", read_boxes(tmp_path / "in.json"))
    text = (tmp_path / f"out{suffix}").read_text()
    (row,) = json.loads(text) if suffix == ".json" else [json.loads(text)]
    assert (row["side"], row["track"], row["x2"]) == ("sea", {"id": 3}, 50)
    assert row["range_m"] > 0


def test_coco_stays_coco(tmp_path: Path) -> None:
    (tmp_path / "in.json").write_text(json.dumps(COCO))
    _written(tmp_path / "out.json", read_boxes(tmp_path / "in.json"))
    out = json.loads((tmp_path / "out.json").read_text())
    assert out["annotations"][0] == {
        **COCO["annotations"][0], "side": "sky", "range_m": None, "range_sd_m": None,
    }  # fmt: skip
    assert out["annotations"][1] == COCO["annotations"][1]
    assert {key: out[key] for key in ("info", "images", "categories")} == {
        key: COCO[key] for key in ("info", "images", "categories")
    }


def test_boxes_are_drawn_in_the_colour_of_their_side() -> None:
    frame = Frame.from_bgr(np.full((360, 640, 3), 90, np.uint8))
    boxes = Boxes([Box((100, 250, 200, 300), frame=0)])
    plain, drawn = (
        overlay.render(frame, horizon()).to_bgr().astype(int)
        for overlay in (Overlay(CAMERA), BoxOverlay(CAMERA, boxes))
    )
    changed = np.abs(drawn - plain).max(axis=2) > 40
    assert changed[250:300, 98:103].mean() > 0.3
    assert not changed[260:290, 110:190].any()
    blue, _, red = drawn[275, 100]
    assert red > blue + 60


@pytest.mark.parametrize(
    ("distance", "sd", "text"),
    [(54.2, 3.4, "54 m ±3"), (2345.0, 44.0, "2.35 km ±0.04"), (12_345.0, 1500.0, "12.3 km ±1.5")],
)
def test_a_range_has_the_digits_that_sigma_leaves(distance: float, sd: float, text: str) -> None:
    assert range_text(Range(distance, sd)) == text


# --- the command


def test_annotate_writes_boxes_and_overlay(cli: RunCli, tmp_path: Path) -> None:
    clip = write_horizon(tmp_path / "boat.mp4", codec="libx264", width=192, height=128)
    (tmp_path / "in.csv").write_text(
        "frame,x1,y1,x2,y2,label\n3,10,5,20,12,gull\n3,90,100,110,124,buoy\n99,1,2,3,4,late\n"
    )
    done = cli(
        "annotate", clip, "--boxes", tmp_path / "in.csv", "--height", 5, "--hfov", 70,
        "--overlay", tmp_path / "o.mp4", "--out", tmp_path / "out.csv",
    )  # fmt: skip
    assert done.code == 0
    assert "2 boxes: 1 sky, 1 sea; 1 with a range" in done.errors
    assert any("1 of 3 boxes belong to no frame" in line for line in done.errors)
    assert "lens assumed" not in done.err
    rows = list(csv.DictReader((tmp_path / "out.csv").read_text().splitlines()))
    assert [row["side"] for row in rows] == ["sky", "sea", ""]
    assert cv2.VideoCapture(str(tmp_path / "o.mp4")).get(cv2.CAP_PROP_FRAME_COUNT) == 12


def test_annotate_writes_a_table_to_stdout(cli: RunCli, tmp_path: Path) -> None:
    clip = write_horizon(tmp_path / "boat.mp4", codec="libx264", width=192, height=128)
    (tmp_path / "in.json").write_text('[{"frame": 3, "box": [10, 5, 20, 12]}]')
    done = cli("annotate", clip, "--boxes", tmp_path / "in.json")
    assert done.code == 0
    assert done.out == "frame,x1,y1,x2,y2,side,range_m,range_sd_m\n3,10.0,5.0,20.0,12.0,sky,,\n"


def test_annotate_never_replaces_the_boxes(cli: RunCli, tmp_path: Path) -> None:
    clip = write_horizon(tmp_path / "boat.mp4")
    (tmp_path / "in.csv").write_text("frame,x1,y1,x2,y2\n3,10,5,20,12\n")
    assert cli("annotate", clip, "--boxes", tmp_path / "in.csv", "--out", tmp_path / "in.csv").code == 2
    done = cli("annotate", clip, "--boxes", tmp_path / "in.csv", "--out", tmp_path / "x.txt")
    assert (done.code, "cannot write boxes" in done.err) == (1, True)
    with pytest.raises(OutputError):
        AnnotationSink("a.xml", Boxes([]))
