"""The label page in a real browser; what it saves is read back from the dataset."""

from __future__ import annotations

import base64
import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from support.edges import apart_px
from support.label import HEIGHT, WIDTH, add_picture, rendered_session, through

from horizon_rt.datasets import LabelledImage, read_horizons
from horizon_rt.geometry import HorizonLine
from horizon_rt.label.session import Session

webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium")
server = pytest.importorskip("horizon_rt.label.server", reason="needs the extra 'label'")
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="needs chromium and chromedriver")

LINES = [HorizonLine(4.0, 10.0), HorizonLine(-8.0, 3.0), None, HorizonLine(12.0, -20.0)]
KEYS = {"Enter": "\r", "Escape": "", "ArrowLeft": "", "ArrowRight": "", "ArrowUp": "", "Delete": ""}
WAIT_S = 30.0


class Page:
    """A tab with real input: trusted mouse, touch and key events in CSS px of the window."""

    def __init__(self, driver: Any, server: Any) -> None:
        self.driver, self.server = driver, server

    def open(self, *, width: int = 900, height: int = 700, ratio: float = 1.0, mobile: bool = False) -> None:
        metrics = {"width": width, "height": height, "deviceScaleFactor": ratio, "mobile": mobile}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        self.driver.get(self.server.url)
        self.until(lambda: self.state()["shown"])

    def state(self) -> dict[str, Any]:
        """The frame in hand, its status, and whether its picture is drawn."""
        return self.driver.execute_script(
            "const c = document.getElementById('picture'), p = c.getContext('2d').getImageData("
            "c.width / 2, c.height / 2, 1, 1).data;"
            "return {number: Number(c.dataset.number ?? -1), status: c.dataset.status,"
            "shown: c.ariaBusy === 'false' && p[3] > 0,"
            "text: document.getElementById('state').textContent, box: c.getBoundingClientRect().toJSON(),"
            "view: JSON.parse(c.dataset.view ?? 'null')}"
        )

    def until(self, condition: Callable[[], Any]) -> Any:
        end = time.monotonic() + WAIT_S
        while not (found := condition()):
            assert time.monotonic() < end, str((self.state(), self.driver.get_log("browser")))
            time.sleep(0.02)
        return found

    def key(self, key: str, *, shift: bool = False) -> None:
        event = {
            "key": key,
            "modifiers": 8 if shift else 0,
            "windowsVirtualKeyCode": 13 if key == "Enter" else 0,
        }
        for kind in ("keyDown", "keyUp"):
            self.driver.execute_cdp_cmd("Input.dispatchKeyEvent", {"type": kind, **event})

    def mouse(self, kind: str, at: tuple[float, float]) -> None:
        held = kind != "mouseMoved"
        event = {
            "type": kind,
            "x": at[0],
            "y": at[1],
            "button": "left" if held else "none",
            "clickCount": int(held),
        }
        self.driver.execute_cdp_cmd("Input.dispatchMouseEvent", event)

    def click(self, at: tuple[float, float]) -> None:
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self.mouse(kind, at)

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        self.mouse("mouseMoved", start)
        self.mouse("mousePressed", start)
        for share in (0.3, 0.7, 1.0):
            at = tuple(a + share * (b - a) for a, b in zip(start, end, strict=True))
            self.driver.execute_cdp_cmd(
                "Input.dispatchMouseEvent",
                {"type": "mouseMoved", "x": at[0], "y": at[1], "button": "left", "buttons": 1},
            )
        self.mouse("mouseReleased", end)

    def touch(self, kind: str, *points: tuple[float, float]) -> None:
        touches = [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(points)]
        self.driver.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})

    def press(self, name: str) -> None:
        self.driver.find_element("css selector", f'[data-do="{name}"]').click()

    def at(self, point: tuple[float, float]) -> tuple[float, float]:
        """Window px of an image point, while the whole picture shows."""
        box = self.state()["box"]
        scale = min(box["width"] / WIDTH, box["height"] / HEIGHT)
        left = box["x"] + (box["width"] - WIDTH * scale) / 2
        top = box["y"] + (box["height"] - HEIGHT * scale) / 2
        return left + (point[0] + 0.5) * scale, top + (point[1] + 0.5) * scale

    def rows(self, count: int) -> list[LabelledImage]:
        """The dataset, once it has as many rows."""
        folder = self.server.session.folder
        self.until(lambda: len(read_horizons(folder)) == count)
        return read_horizons(folder)

    def line(self, number: int) -> HorizonLine:
        """The saved line of a frame, once the page says that it is saved and nothing is under way."""
        time.sleep(0.15)
        name = self.server.session.frames[number].file
        rows = {row.path.name: row for row in read_horizons(self.server.session.folder)}
        row = rows[name]
        assert row.ends is not None
        frame = self.server.session.frames[number]
        return HorizonLine.from_points(*row.ends, frame.width, frame.height, sky_above=row.sky_above)


@pytest.fixture(scope="module")
def driver() -> Iterator[Any]:
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER)) as running:
        yield running


@pytest.fixture
def page(driver: Any, tmp_path: Path) -> Iterator[Page]:
    with server.LabelServer(rendered_session(tmp_path / "set", LINES), lambda _: None) as running:
        yield Page(driver, running)
        errors = [entry for entry in driver.get_log("browser") if entry["level"] == "SEVERE"]
        driver.get("about:blank")
    assert errors == []


def test_a_user_goes_through_the_frames(page: Page) -> None:
    page.open()
    page.key("Enter")  # the tracker's line
    page.until(lambda: page.state()["number"] == 1)
    page.until(lambda: page.state()["shown"])
    p, q = (40.0, 130.0), (270.0, 95.0)
    page.click(page.at(p))
    page.until(lambda: page.state()["text"] == "Click the second point")
    page.click(page.at(q))
    page.rows(2)
    page.key("Enter")
    page.until(lambda: page.state()["number"] == 2)
    page.key("n")
    page.until(lambda: page.state()["number"] == 3)
    page.key("k")
    rows = page.rows(3)
    assert [row.path.name for row in rows] == [f"clip_{i:06d}.png" for i in range(3)]
    assert [row.ends is None for row in rows] == [False, False, True]
    assert apart_px(page.line(0), HorizonLine(4.5, 12.0), WIDTH, HEIGHT) < 2e-3
    assert apart_px(page.line(1), through(p, q, (WIDTH, HEIGHT)), WIDTH, HEIGHT) < 0.02
    page.until(lambda: page.server.session.counts()["skipped"] == 1)


def test_undo_takes_changes_back_one_by_one(page: Page) -> None:
    page.open()
    page.key("Enter")
    page.key("n")
    page.key("n")
    page.rows(3)
    page.key("z")
    page.rows(2)
    assert page.until(lambda: page.state()["number"] == 2)
    page.key("z")
    page.key("z")
    page.rows(0)
    page.until(lambda: page.state()["number"] == 0)
    assert page.state()["text"] == "Tracker's line, to accept"


def test_a_reload_shows_what_was_saved(page: Page) -> None:
    page.open()
    page.key("n")
    page.rows(1)
    page.open()
    assert page.state()["number"] == 1
    page.key("ArrowLeft")
    page.until(lambda: page.state()["status"] == "none")
    assert page.state()["text"] == "No horizon"
    page.key("Delete")
    page.rows(0)


def test_handles_and_the_line_can_be_dragged(page: Page) -> None:
    page.open()
    p, q = (60.0, 120.0), (260.0, 120.0)
    page.click(page.at(p))
    page.click(page.at(q))
    page.rows(1)
    page.drag(page.at(q), page.at((262.0, 90.0)))
    page.until(lambda: apart_px(page.line(0), HorizonLine(0, 0), WIDTH, HEIGHT) > 5)
    turned = through(p, (262.0, 90.0), (WIDTH, HEIGHT))
    assert apart_px(page.line(0), turned, WIDTH, HEIGHT) < 0.05
    middle = (161.0, 105.0)
    page.drag(page.at(middle), page.at((161.0, 125.0)))
    lower = HorizonLine(turned.angle_deg, turned.offset_px + 20 * np.cos(np.radians(turned.angle_deg)))
    page.until(lambda: apart_px(page.line(0), lower, WIDTH, HEIGHT) < 0.05)


def test_keys_shift_tilt_and_invert_the_line(page: Page) -> None:
    page.open()
    page.key("ArrowUp")
    page.rows(1)
    start = HorizonLine(4.5, 12.0)
    assert apart_px(page.line(0), HorizonLine(4.5, 11.75), WIDTH, HEIGHT) < 0.01
    page.key("ArrowUp", shift=True)
    page.key("]")
    page.until(lambda: abs(page.line(0).angle_deg - 4.55) < 2e-3)
    assert apart_px(page.line(0), start, WIDTH, HEIGHT) < 2.5
    page.key("i")
    page.until(lambda: abs(page.line(0).angle_deg + 175.45) < 2e-3)
    row = read_horizons(page.server.session.folder)[0]
    assert not row.sky_above


def test_snap_puts_the_line_on_the_rendered_edge(page: Page) -> None:
    page.open()
    page.key("s")
    page.until(
        lambda: page.state()["text"] != "" and page.driver.find_element("id", "toast").text == "On the edge."
    )
    page.key("Enter")
    page.rows(1)
    assert apart_px(page.line(0), LINES[0], WIDTH, HEIGHT) < 0.1
    page.until(lambda: page.state()["number"] == 1 and page.state()["shown"])
    page.press("autoSnap")
    try:
        truth = LINES[1]
        for x in (50.0, 250.0):
            page.click(page.at((x, truth.y_at(x, WIDTH, HEIGHT) + 2.5)))
        page.until(lambda: len(page.rows(2)) and apart_px(page.line(1), truth, WIDTH, HEIGHT) < 0.1)
        page.key("z")  # drawing and snapping are one change
        page.rows(1)
    finally:
        page.press("autoSnap")


def test_carry_begins_with_the_line_before(page: Page) -> None:
    page.open()
    page.key("s")
    page.until(lambda: page.driver.find_element("id", "toast").text == "On the edge.")
    page.key("Enter")
    page.until(lambda: page.state()["number"] == 1 and page.state()["shown"])
    page.key("c")
    page.until(lambda: page.state()["text"] == "Carried, to accept")
    assert page.server.session.counts()["line"] == 1
    page.key("Enter")
    page.rows(2)
    assert apart_px(page.line(1), LINES[1], WIDTH, HEIGHT) < 1.5


def _dots(page: Page, ratio: float) -> list[tuple[float, float]]:
    """Window px of the magenta pixels on the screen, left to right."""
    shot = base64.b64decode(page.driver.get_screenshot_as_base64())
    image = cv2.imdecode(np.frombuffer(shot, np.uint8), cv2.IMREAD_COLOR).astype(int)
    magenta = (image[:, :, 0] > 150) & (image[:, :, 2] > 150) & (image[:, :, 1] < 60)
    count, _, _, centres = cv2.connectedComponentsWithStats(magenta.astype(np.uint8))
    assert count == 3, "two dots are on the screen"
    return sorted(((x + 0.5) / ratio, (y + 0.5) / ratio) for x, y in centres[1:])


@pytest.mark.parametrize("ratio", [1.0, 2.5])
def test_what_is_clicked_on_the_screen_is_what_is_saved(driver: Any, tmp_path: Path, ratio: float) -> None:
    """Two single pixels are found on screenshots and clicked, at several zoom levels."""
    points = ((97.0, 57.0), (107.0, 63.0))
    picture = np.zeros((121, 201, 3), np.uint8)
    for x, y in points:
        picture[int(y), int(x)] = (255, 0, 255)
    session = Session(tmp_path / "set", source="clip.mp4", every=1)
    for _ in range(3):
        add_picture(session, picture, None)
    session.finish()
    expected = through(*points, (201, 121))
    with server.LabelServer(session, lambda _: None) as running:
        page = Page(driver, running)
        page.open(width=640, height=480, ratio=ratio)
        for number, presses in enumerate((0, 1, 4)):
            page.until(lambda number=number: page.state()["number"] == number and page.state()["shown"])
            for _ in range(presses):
                page.press("zoomIn")
            time.sleep(0.1)
            for dot in _dots(page, ratio):
                page.click(dot)
            page.rows(number + 1)
            scale = page.state()["view"][0]
            assert apart_px(page.line(number), expected, 201, 121) < 8 / (scale * ratio)
            # the points are 11.7 px apart, so half a screen px there is about eight at the far corners
            near = page.line(number)
            for x, y in points:
                assert abs(near.signed_distance(x, y, 201, 121)) < 0.6 / (scale * ratio) + 0.005
            page.key("ArrowRight")
        driver.get("about:blank")


def test_fingers_draw_zoom_and_move(page: Page) -> None:
    page.driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": True})
    page.open(width=390, height=760, ratio=2.0, mobile=True)
    page.driver.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")
    p, q = (50.0, 60.0), (270.0, 80.0)
    for point in (p, q):
        page.touch("touchStart", page.at(point))
        page.touch("touchEnd")
    page.rows(1)
    assert apart_px(page.line(0), through(p, q, (WIDTH, HEIGHT)), WIDTH, HEIGHT) < 0.05
    before = page.state()["view"][0]
    cx, cy = page.at((160.0, 180.0))
    page.touch("touchStart", (cx - 30, cy), (cx + 30, cy))
    for reach in (45, 60, 90):
        page.touch("touchMove", (cx - reach, cy), (cx + reach, cy))
    page.touch("touchEnd")
    assert page.until(lambda: page.state()["view"][0]) / before == pytest.approx(3.0, rel=0.05)
    assert len(page.rows(1)) == 1
    assert json.dumps(page.server.session.counts()) == json.dumps(
        {"line": 1, "none": 0, "skipped": 0, "open": 3}
    )
    assert page.driver.execute_script("return document.documentElement.scrollWidth") <= 390
