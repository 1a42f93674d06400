"""Whether telemetry is the same to the bit: `python benchmarks/same_results.py --json FILE [--against FILE]`.

Tracks the clip of the demo and the pictures of ../shared/data with every shipped model, with TorchScript on
the CPU, and keeps a digest of the rows of each run but for what the clock decides. A change of the code that
shall not change results is checked against the digests from before it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path

DEMO = "synth:coast?motion=flight&size=640x360&seconds=10"
MODELS = ("small", "nano", "lite0")
CLOCK = ("latency_ms", "wall_time", "decoded_at")
"""Fields that differ from run to run."""


def sources(root: Path) -> dict[str, str]:
    return {"demo": DEMO, **{name: str(root / name / "images") for name in ("flight", "thermal-sea")}}


def rows_of(source: str, model: str, *, smooth: str) -> list[dict[str, object]]:
    """Telemetry of a run without its header, and without what the clock decides."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "run.jsonl"
        command = ["track", source, "--telemetry", str(target), "--model", model, "--smooth", smooth]
        engine = ["--backend", "torchscript", "--device", "cpu"]
        entry = "from horizon_rt.cli import main; main()"
        subprocess.run([sys.executable, "-c", entry, *command, *engine], check=True, capture_output=True)
        rows = [json.loads(line) for line in target.read_text().splitlines()[1:]]
    return [{key: value for key, value in row.items() if key not in CLOCK} for row in rows]


def digests(root: Path) -> dict[str, str]:
    found = {}
    for model in MODELS:
        for name, source in sources(root).items():
            for smooth in ("causal", "offline", "none") if name == "demo" else ("none",):
                rows = rows_of(source, model, smooth=smooth)
                text = json.dumps(rows, sort_keys=True)
                key = f"{model}, {name}, {smooth}, {len(rows)} frames"
                found[key] = hashlib.sha256(text.encode()).hexdigest()
                print(key, found[key][:16], flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared" / "data")
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--against", type=Path, help="digests from before")
    options = parser.parse_args()
    found = digests(options.data)
    result: dict[str, object] = {"digests": found}
    if options.against is not None:
        before = json.loads(options.against.read_text())["digests"]
        changed = sorted(key for key in before.keys() | found.keys() if before.get(key) != found.get(key))
        result |= {"before": before, "changed": changed}
        print("the same to the bit" if not changed else f"changed: {'; '.join(changed)}")
    options.json.write_text(json.dumps(result, indent=1, sort_keys=True) + "\n")
    sys.exit(1 if result.get("changed") else 0)


if __name__ == "__main__":
    main()
