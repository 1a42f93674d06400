"""How the command line speaks: quietly, in detail, in JSON lines; and what it offers to a shell."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.cli import ENTRY, RunCli

from horizon_rt.cli.progress import training_progress
from horizon_rt.cli.style import Style, make_console, take_style, use_style, write_record
from horizon_rt.models.weights import shipped_models

PROGRAM = Path(sys.executable).with_name("horizon-rt")


@pytest.fixture(autouse=True)
def _as_usual() -> Iterator[None]:
    yield
    use_style(Style())


@pytest.mark.parametrize(
    ("arguments", "style", "others"),
    [
        ([], Style(), []),
        (["-v", "track", "a.mp4"], Style(verbose=True), ["track", "a.mp4"]),
        (["track", "a.mp4", "--verbose", "-q"], Style(verbose=True, quiet=True), ["track", "a.mp4"]),
        (["track", "--progress", "jsonl", "a"], Style(progress="jsonl"), ["track", "a"]),
        (["track", "--progress=none", "--debug"], Style(progress="none", debug=True), ["track"]),
        (["-vq", "track", "a"], Style(verbose=True, quiet=True), ["track", "a"]),
        (["track", "--", "-v", "--progress"], Style(), ["track", "--", "-v", "--progress"]),
    ],
)
def test_the_style_is_taken_from_anywhere_before_the_two_dashes(
    arguments: list[str], style: Style, others: list[str]
) -> None:
    assert take_style(arguments) == (style, others)


@pytest.mark.parametrize("words", [["--progress"], ["--progress", "bars"], ["--progress="]])
def test_an_unknown_kind_of_progress_is_a_usage_error(cli: RunCli, words: list[str]) -> None:
    done = cli("track", *words)
    assert (done.code, len(done.errors)) == (2, 1)
    assert "auto, jsonl, none" in done.err


def test_quiet_runs_give_results_alone(cli: RunCli, clip: Path, tmp_path: Path) -> None:
    done = cli("track", "-q", clip, "--telemetry", "-")
    assert (done.code, done.err) == (0, "")
    assert len(done.out.splitlines()) == 13
    failed = cli("track", tmp_path / "no.mp4", "-q")
    assert (failed.code, len(failed.errors)) == (1, 1)


def test_verbose_runs_name_source_net_and_lens(
    cli: RunCli, clip: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert cli("track", clip, "-v", "--hfov", "60", "--out", tmp_path).code == 0
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.INFO]
    assert [line.split(":")[0] for line in told] == ["source", "net", "lens"]
    assert "96x64 px, 25 frames/s" in told[0]
    assert told[2] == "lens: horizontal field of view 60°"


def test_json_lines_are_all_that_stderr_holds(cli: RunCli, clip: Path, tmp_path: Path) -> None:
    done = cli("--progress", "jsonl", "track", clip, "--out", tmp_path / "out")
    records = [json.loads(line) for line in done.errors]
    progress = [record for record in records if record["type"] == "progress"]
    assert [progress[0][key] for key in ("task", "done", "total")] == ["flight.mkv", 0, 12]
    assert (progress[-1]["done"], progress[-1]["state"]) == (12, "tracking")
    assert [record["done"] for record in progress] == sorted(record["done"] for record in progress)
    texts = [record["text"] for record in records if record["type"] == "message"]
    assert f"written: {tmp_path / 'out' / 'flight.jsonl'}" in texts
    (error,) = map(json.loads, cli("track", tmp_path / "no.mp4", "--progress", "jsonl").errors)
    assert error["type"] == "error"
    assert "no such file" in error["text"]


def test_warnings_are_json_lines_too(pictures: Path) -> None:
    (pictures / "none.jpg").touch()
    command = [sys.executable, "-c", ENTRY, "track", str(pictures), "--telemetry", "-", "--progress", "jsonl"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    kinds = {record["type"]: record for record in map(json.loads, done.stderr.splitlines())}
    assert "none.jpg: picture skipped" in kinds["warning"]["text"]


def test_what_must_be_seen_is_not_quiet(cli: RunCli, clip: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    done = cli("batch", "-q", clip, tmp_path / "bad.mp4", "--out", tmp_path / "out", "--write=telemetry")
    assert (done.code, len(done.errors)) == (1, 1)
    assert done.errors[0].startswith("failed: ")
    done = cli("track", "-q", clip, "--telemetry", tmp_path / "t.csv")
    assert [line.split(":")[0] for line in done.errors] == ["lens assumed"]
    (failed,) = [
        record
        for record in map(
            json.loads, cli("batch", tmp_path / "bad.mp4", "--out", tmp_path / "o", "--progress=jsonl").errors
        )
        if record["type"] == "error"
    ]
    assert failed["text"].startswith("failed: ")


def test_records_of_threads_are_whole_lines(capfd: pytest.CaptureFixture[str]) -> None:
    use_style(Style(progress="jsonl"))
    log = logging.getLogger("somewhere.else")

    def warn() -> None:
        for k in range(300):
            assert logging.lastResort is not None
            logging.lastResort.handle(log.makeRecord("a", logging.WARNING, "", 0, "%d", (k,), None))

    threads = [threading.Thread(target=warn) for _ in range(3)]
    for thread in threads:
        thread.start()
    for k in range(300):
        write_record("progress", done=k)
    for thread in threads:
        thread.join()
    records = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert len(records) == 1200


def test_a_traceback_is_part_of_its_record(capfd: pytest.CaptureFixture[str]) -> None:
    use_style(Style(progress="jsonl", debug=True))
    try:
        raise ValueError("odd")
    except ValueError:
        record = logging.getLogger("x").makeRecord("x", logging.DEBUG, "", 0, "clip", (), sys.exc_info())
    assert logging.lastResort is not None
    logging.lastResort.handle(record)
    (line,) = capfd.readouterr().err.splitlines()
    assert "ValueError: odd" in json.loads(line)["text"]


def test_a_batch_tells_of_each_task(cli: RunCli, clip: Path, tmp_path: Path) -> None:
    done = cli("batch", clip, "--out", tmp_path / "out", "--progress=jsonl", "--write=telemetry")
    progress = [r for r in map(json.loads, done.errors) if r["type"] == "progress"]
    assert progress[-1]["done"] == progress[-1]["total"]


def _completed(words: str) -> list[str]:
    count = len(words.split(" ")) - 1
    asked = {"_HORIZON_RT_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(count)}
    done = subprocess.run([PROGRAM], env={**os.environ, **asked}, capture_output=True, text=True, timeout=60)
    return done.stdout.split()


@pytest.mark.skipif(not PROGRAM.exists(), reason="the program is not installed beside this Python")
def test_a_shell_completes_commands_options_and_names() -> None:
    assert _completed("horizon-rt tra") == ["track", "train"]
    assert "--smooth" in _completed("horizon-rt track --s")
    assert set(_completed("horizon-rt track --model ")) == set(shipped_models())


@pytest.mark.skipif(not PROGRAM.exists(), reason="the program is not installed beside this Python")
def test_bash_takes_the_completion_that_is_shown() -> None:
    script = f"""
        eval "$(SHELL=/bin/bash {PROGRAM} --show-completion bash)"
        COMP_WORDS=({PROGRAM} bat) COMP_CWORD=1
        _horizon_rt_completion {PROGRAM}
        echo "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["batch"], done.stderr


def test_a_training_tells_of_its_steps_and_loss(capfd: pytest.CaptureFixture[str]) -> None:
    use_style(Style(progress="jsonl"))
    with training_progress(make_console()) as on_step:
        for step in range(1, 4):
            on_step("making samples", step, 3, float("nan"))
        on_step("training", 1, 2, 0.5)
        on_step("training", 2, 2, 0.25)
    records = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    tasks = [record["task"] for record in records]
    assert tasks == sorted(tasks), "one task ends before the next begins"
    ends = {record["task"]: record for record in records}
    assert ends["making samples"] == {"type": "progress", "task": "making samples", "done": 3, "total": 3}
    assert (ends["training"]["done"], ends["training"]["loss"]) == (2, "0.2500")
