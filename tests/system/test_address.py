"""Passwords that an address only points to."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from horizon_rt.errors import OptionsError
from horizon_rt.system.address import shown, split_name, with_password, without_secrets

WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), min_size=1, max_size=20)


@given(word=WORDS, query=st.lists(st.sampled_from(["a=1", "rate=5", "b=%26"]), max_size=3))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_any_password_of_a_file_comes_whole(tmp_path: Path, word: str, query: list[str], end: str) -> None:
    (tmp_path / "word").write_bytes((word + end).encode())
    options = "&".join([*query, f"password-file={tmp_path / 'word'}"])
    url = with_password(f"rtsp://me@camera:554/live/1?{options}")
    parts = urlsplit(url)
    assert (parts.username, unquote(parts.password or "")) == ("me", word)
    assert (parts.hostname, parts.port, parts.path) == ("camera", 554, "/live/1")
    assert parse_qsl(parts.query) == parse_qsl("&".join(query))
    assert shown(url) == "rtsp://camera:554/live/1"


@pytest.mark.parametrize(
    "url",
    ["rtsp://me:p%40ss@camera/1?a=password-file", "http://camera/x.m3u8?token=1", "mqtt://host", "udp://@"],
)
def test_other_addresses_stay_as_they_are(url: str) -> None:
    assert with_password(url) == url


def test_the_file_of_a_password_may_hold_a_space_and_is_named_in_errors(tmp_path: Path) -> None:
    (tmp_path / "my word").write_text("secret")
    place = str(tmp_path / "my word").replace(" ", "%20")
    assert with_password(f"rtsp://me@camera/1?password-file={place}") == "rtsp://me:secret@camera/1"
    (tmp_path / "my word").write_bytes(b"\xff")
    with pytest.raises(OptionsError, match=r"my word cannot be read: it is no UTF-8 text$"):
        with_password(f"rtsp://me@camera/1?password-file={place}")


@pytest.mark.parametrize(
    ("text", "name", "rest"),
    [
        ("bow=0", "bow", "0"),
        ("bow-1=rtsp://me:pw@cam/1?a=b", "bow-1", "rtsp://me:pw@cam/1?a=b"),
        ("rtsp://cam/1?a=b", "", "rtsp://cam/1?a=b"),
        ("lavfi:testsrc2=size=48x32", "", "lavfi:testsrc2=size=48x32"),
        ("synth:sea?fps=9", "", "synth:sea?fps=9"),
        ("./a=b.mp4", "", "./a=b.mp4"),
        ("=0", "", "=0"),
        ("bow=", "", "bow="),
    ],
)
def test_a_name_before_a_source(text: str, name: str, rest: str) -> None:
    assert split_name(text) == (name, rest)


def test_an_address_with_a_name_shows_no_secret() -> None:
    assert without_secrets("bow=rtsp://me:hunter2@cam:554/1?token=x") == "bow=rtsp://cam:554/1"
