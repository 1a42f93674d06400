"""The lab's U-Net, from the log of its run: `python benchmarks/unet.py runs/unet --json FILE`.

The run is that of weights/unet.toml; it may have been ended early, and goes on with --resume.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from horizon_rt.training.log import read_log


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    curves = read_log(options.run / "log.jsonl")
    last = [json.loads(line) for line in (options.run / "log.jsonl").read_text().splitlines()][-1]
    found = {"recipe": "weights/unet.toml", "batch": options.batch, "of": last["of"], "curves": curves}
    text = json.dumps(found)
    if options.json is not None:
        options.json.write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
