"""Put trained weights into the shipped manifest: `install_weights.py NAME FILE --scale S --floor DEG`."""

from __future__ import annotations

import argparse
from pathlib import Path

from safetensors.torch import load_file

from horizon_rt.segmentation.weights import SigmaScale, weights_folder, write_manifest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("file", type=Path)
    parser.add_argument("--scale", type=float, required=True)
    parser.add_argument("--floor", type=float, required=True)
    parser.add_argument("--presence-shift", type=float, default=0.0, help="added to the presence logit")
    parser.add_argument("--facts", default="", help="what it was trained on")
    parser.add_argument("--net", default="small", help="its name in the zoo")
    parser.add_argument("--default", action="store_true", help="make it the default")
    options = parser.parse_args()
    state = load_file(options.file)
    state["presence.bias"] += options.presence_shift
    write_manifest(
        weights_folder(),
        options.name,
        options.net,
        state,
        SigmaScale(options.scale, options.floor),
        {"presence_shift": options.presence_shift, "trained": options.facts, "split": "split.toml"},
        default=options.default,
    )


if __name__ == "__main__":
    main()
