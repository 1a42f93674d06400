"""--config and --print-config of `live`: keys, what goes before what, paths, secrets, damaged files."""

from __future__ import annotations

import json
import random
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.cli import RunCli, lines

from horizon_rt.cli import main
from horizon_rt.cli.app import program

QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
OWN = {"config", "print_config", "help"}
PASSWORD = "hunter2"


def live_options() -> dict[str, Any]:
    """The parameters of `live` by their long names, as the command line knows them."""
    command = program.commands["live"]
    return {p.opts[0].lstrip("-"): p for p in command.params if p.name not in OWN}


def write(path: Path, **values: Any) -> Path:
    path.write_text("".join(f"{key} = {_toml(value)}\n" for key, value in values.items()))
    return path


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{k} = {_toml(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return repr(value) if isinstance(value, float) else json.dumps(value)


@pytest.fixture
def effective(cli: RunCli) -> Any:
    """What --print-config says, read by Python's own TOML reader."""

    def read(*arguments: str | Path) -> dict[str, Any]:
        done = cli("live", *arguments, "--print-config")
        assert (done.code, done.err) == (0, ""), done.err
        return tomllib.loads(done.out)

    return read


EVERY: dict[str, Any] = {
    "source": "synth:sea",
    "telemetry": ["/a/t.jsonl", "-"],
    "overlay": "/a/o.mp4",
    "overwrite": True,
    "record": "/a/boat",
    "record-overlay": True,
    "segment": "5min",
    "segment-size": "1GB",
    "keep": "20GB",
    "record-on-demand": True,
    "pre-trigger": "20s",
    "draw": "all,-ladder",
    "colour": "ff8800",
    "band": "filled",
    "line-width": 2.0,
    "text-size": 1.5,
    "rerun": "/a/o.rrd",
    "link": ["mavlink://127.0.0.1:14550?rate=10", "json://localhost:9000"],
    "web": "127.0.0.1:8700",
    "level": True,
    "window": False,
    "size": "640x480",
    "fps": 25.0,
    "pixel-format": "mjpeg",
    "exposure": "locked",
    "smooth": "none",
    "camera-profile": "hfov90",
    "hfov": 95.5,
    "mount": "1,-12.5,90",
    "height": 12.5,
    "model": "small",
    "device": "cpu",
    "backend": "torchscript",
    "precision": "float32",
    "decoder": "cpu",
    "key-frames": False,
    "rotate": 180,
    "codec": "hevc",
    "quality": 25,
    "encoder": "hardware",
}


def test_every_option_has_a_key_that_comes_back(effective: Any, tmp_path: Path) -> None:
    """A new option belongs into EVERY, which this test alone needs: the program asks the command line."""
    assert EVERY.keys() == live_options().keys()
    printed = effective("--config", write(tmp_path / "site.toml", **EVERY))
    assert printed == EVERY
    assert effective("--config", write(tmp_path / "again.toml", **printed)) == EVERY


def test_every_option_is_named_with_its_help(cli: RunCli) -> None:
    out = cli("live", "0", "--print-config").out
    for key, parameter in live_options().items():
        assert f"# {parameter.help}\n" in out
        assert f"\n{key} = " in f"\n{out}" or f"\n# {key} =\n" in out


def test_the_command_line_goes_before_the_file(effective: Any, tmp_path: Path) -> None:
    site = write(tmp_path / "site.toml", source="0", hfov=95, link=["json://a"], window=False, smooth="none")
    printed = effective("1", "--config", site, "--hfov", "60", "--link", "json://b", "--window")
    assert (printed["source"], printed["hfov"], printed["link"], printed["window"]) == (
        "1",
        60.0,
        ["json://b"],
        True,
    )
    assert printed["smooth"] == "none"


def test_paths_are_relative_to_the_file_and_names_stay_names(
    effective: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "site"
    (folder / "net").mkdir(parents=True)
    (folder / "lens.toml").write_text("")
    monkeypatch.chdir(tmp_path)
    site = folder / "site.toml"
    lens, net = folder / "lens.toml", folder / "net:best"
    other = ("3", "/dev/video0", "rtsp://cam/1", "synth:sea?fps=9", "-")
    for values, expected in (
        ({"source": "in.mp4"}, {"source": folder / "in.mp4"}),
        ({"source": "sub/in.mp4", "record": "../o.mp4"}, {"record": folder / "../o.mp4"}),
        ({"telemetry": ["t.jsonl", "-", "/t.csv"]}, {"telemetry": [folder / "t.jsonl", "-", "/t.csv"]}),
        ({"telemetry": "t.jsonl"}, {"telemetry": [folder / "t.jsonl"]}),
        ({"camera-profile": "lens.toml", "model": "net:best"}, {"camera-profile": lens, "model": net}),
        ({"camera-profile": "hfov90", "model": "small"}, {"camera-profile": "hfov90", "model": "small"}),
        ({"model": "none:best"}, {"model": "none:best"}),
        ({"source": ["bow=in.mp4", "aft=0", "2"]}, {"source": [f"bow={folder / 'in.mp4'}", "aft=0", "2"]}),
        ({"camera-profile": "{name}.toml"}, {"camera-profile": folder / "{name}.toml"}),
        *(({"source": source}, {"source": source}) for source in other),
    ):  # fmt: skip
        write(site, **({"source": "0"} | values))
        printed = effective("--config", "site/site.toml")
        told = {k: [str(v) for v in e] if isinstance(e, list) else str(e) for k, e in expected.items()}
        assert {k: printed[k] for k in told} == told
    printed = effective("live.mp4", "--record", "o.mp4", "--config", "site/site.toml")
    assert (printed["source"], printed["record"]) == (str(tmp_path / "live.mp4"), str(tmp_path / "o.mp4"))


def test_numbers_stand_for_texts_as_on_the_command_line(effective: Any, tmp_path: Path) -> None:
    assert effective("--config", write(tmp_path / "site.toml", source=0, fps=25))["source"] == "0"


def test_a_run_from_a_file_alone(cli: RunCli, clip: Path, tmp_path: Path) -> None:
    site = write(
        tmp_path / "site.toml", source=clip.name, telemetry=["t.jsonl"], window=False, mount="0,-5", hfov=90
    )
    done = cli("live", "--config", site)
    assert done.code == 0, done.err
    head, *rows = lines(tmp_path / "t.jsonl")
    assert head["options"]["hfov_deg"] == 90.0  # type: ignore[index]
    assert head["mount"]["pitch_deg"] == -5.0  # type: ignore[index]
    assert rows


# --- what is wrong


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("hfv = 90", "there is no key 'hfv'; did you mean 'hfov'?; there are: backend, band,"),
        ("camera_profile = 'a'", "did you mean 'camera-profile'?"),
        ("zzzzzz = 1", "there is no key 'zzzzzz'; there are: backend"),
        ("config = 'a'", "there is no key 'config'"),
        ("start = 1", "there is no key 'start'"),
        ("hfov = 300", "hfov: "),
        ("hfov = 'wide'", "hfov: "),
        ("hfov = true", "hfov takes one text or number"),
        ("hfov = [90]", "hfov takes one text or number, no list"),
        ("hfov = 2026-03-01", "hfov takes one text or number"),
        ("window = 'no'", "window is true or false"),
        ("smooth = 'much'", "smooth: "),
        ("link = [['a']]", "link takes one text or number"),
        ("source = { fil = 'x' }", "source is a value, { file"),
        ("source = { file = 'x', env = 'Y' }", "source is a value, { file"),
        ("source = { file = 'absent.txt' }", "source: 'absent.txt' cannot be read: No such file"),
        ("source = { env = 'NOBODY_SETS_THIS' }", "no environment variable 'NOBODY_SETS_THIS'"),
        ("[lens]\nhfov = 90", "there is no key 'lens'"),
        ("hfov =", "it is no TOML"),
        ("hfov = 1\nhfov = 2", "it is no TOML"),
        ("fps = 0x" + "f" * 5000, "fps takes no number of that size"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_file_is_a_usage_error_that_names_it(
    cli: RunCli, tmp_path: Path, text: str, reason: str
) -> None:
    (tmp_path / "site.toml").write_text(text)
    done = cli("live", "0", "--config", tmp_path / "site.toml")
    said = _joined(done.err.replace("│", " "))  # as the frame breaks lines anywhere in a path
    assert done.code == 2
    assert "site.toml:" in said
    assert _joined(reason) in said


def _joined(text: str) -> str:
    return "".join(text.split())


def test_a_file_that_is_not_there(cli: RunCli, tmp_path: Path) -> None:
    for path in (tmp_path / "absent.toml", tmp_path):
        done = cli("live", "0", "--config", path)
        assert done.code == 2
        assert "it cannot be read" in " ".join(done.err.replace("│", " ").split())


def test_without_a_source_anywhere(cli: RunCli, tmp_path: Path) -> None:
    done = cli("live", "--config", write(tmp_path / "site.toml", hfov=90))
    assert done.code == 2
    assert "Missing argument" in done.err


# --- secrets


def test_a_secret_of_a_file_or_the_environment_reaches_the_run_and_no_output(
    cli: RunCli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"rtsp://me:{PASSWORD}@127.0.0.1:9/stream?key={PASSWORD}"
    (tmp_path / "url.txt").write_text(url + "\n")
    monkeypatch.setenv("CAMERA_URL", url)
    for reference in ({"file": "url.txt"}, {"env": "CAMERA_URL"}, url):
        site = write(tmp_path / "site.toml", source=reference, window=False)
        printed = cli("live", "--config", site, "--print-config")
        assert printed.code == 0
        run = cli("live", "--config", site)
        assert run.code == 1
        assert "127.0.0.1:9" in run.err  # it was the address of the file that was asked
        for done in (printed, run):
            assert PASSWORD not in done.out + done.err
    assert "user, password and query are not shown" in printed.out
    named = cli("live", f"bow={url}", "--print-config", "--no-window")
    assert (named.code, PASSWORD in named.out + named.err) == (0, False)
    assert "bow=rtsp://127.0.0.1:9/stream" in named.out


def test_a_reference_is_printed_as_one_that_holds_elsewhere(
    effective: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broker.txt").write_text(f"mqtt://me:{PASSWORD}@broker/boat")
    monkeypatch.setenv("OTHER", "json://localhost:1")
    link = [{"file": "broker.txt"}, "json://b", {"env": "OTHER"}]
    printed = effective("0", "--config", write(tmp_path / "site.toml", link=link))
    assert printed["link"] == [{"file": str(tmp_path / "broker.txt")}, "json://b", {"env": "OTHER"}]
    (tmp_path / "far").mkdir()
    again = effective("--config", write(tmp_path / "far" / "site.toml", **printed))
    assert again["link"] == printed["link"]


def test_a_secret_that_does_not_fit_is_not_shown(cli: RunCli, tmp_path: Path) -> None:
    for text in (PASSWORD, f"{PASSWORD}\nsecond line", PASSWORD * 5000):
        (tmp_path / "secret.txt").write_text(text)
        done = cli("live", "0", "--config", write(tmp_path / "site.toml", hfov={"file": "secret.txt"}))
        assert done.code == 2
        assert PASSWORD not in done.err + done.out


# --- whatever a file holds


plain = st.text(max_size=12) | st.integers() | st.floats() | st.booleans()
anything = st.recursive(
    plain,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["file", "env", "x"]), inner),
    max_leaves=6,
)


@QUICK
@given(values=st.dictionaries(st.sampled_from([*EVERY, "hfv"]), anything, max_size=6))
def test_any_values_are_taken_or_refused_in_words(
    values: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = tmp_path / "site.toml"
    site.write_text("".join(f"{k} = {_toml(v)}\n" for k, v in values.items()), errors="replace")
    check_ends_in_words(site, capsys)


@QUICK
@given(seed=st.integers(0, 2**32), count=st.integers(1, 12))
def test_damaged_files_are_taken_or_refused_in_words(
    seed: int, count: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site, generator = write(tmp_path / "site.toml", **EVERY), random.Random(seed)
    data = bytearray(site.read_bytes())
    for _ in range(count):
        data[generator.randrange(len(data))] = generator.randrange(256)
    site.write_bytes(data)
    check_ends_in_words(site, capsys)


def check_ends_in_words(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["live", "0", "--config", str(site), "--print-config"])
    said = capsys.readouterr()
    assert caught.value.code in (0, 2), said.err
    assert "Traceback" not in said.err
    if caught.value.code == 0:
        tomllib.loads(said.out)
