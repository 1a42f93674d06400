"""Recordings in an object store: a local server that speaks S3, by moto."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.cli import RunCli, write_horizon

boto3 = pytest.importorskip("boto3")
pytest.importorskip("s3fs")
server = pytest.importorskip("moto.server")

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    running.start()
    host, port = running.get_host_and_port()
    address = f"http://{host}:{port}"
    for name, value in {
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3", endpoint_url=address)
    client.create_bucket(Bucket="flights")
    yield client
    running.stop()


def test_a_batch_reads_from_a_bucket(cli: RunCli, bucket: object, tmp_path: Path) -> None:
    local = write_horizon(tmp_path / "a.mp4", 60, codec="mpeg4")
    bucket.upload_file(str(local), "flights", "day/a.mp4")  # type: ignore[attr-defined]
    bucket.put_object(Bucket="flights", Key="day/bad.mp4", Body=b"no video")  # type: ignore[attr-defined]
    words = ("--write=telemetry", "--model=nano", "--resume", "--out")
    done = cli("batch", "s3://flights/day", *words, tmp_path / "out")
    assert done.code == 1
    assert any("s3://flights/day/bad.mp4" in line for line in done.errors if line.startswith("failed"))
    assert cli("batch", local, *words, tmp_path / "here").code == 0
    stored, here = ((tmp_path / name / "a.jsonl").read_text().splitlines() for name in ("out", "here"))
    assert json.loads(stored[0])["source"] == "s3://flights/day/a.mp4"
    assert stored[1:] == here[1:]
    again = cli("batch", "s3://flights/day/*.mp4", *words, tmp_path / "out")
    assert any(line.startswith("skipped: s3://flights/day/a.mp4") for line in again.errors)
    missing = cli("batch", "s3://flights/none.mp4", *words, tmp_path / "out")
    assert missing.code == 1
    assert "no such object" in missing.err
