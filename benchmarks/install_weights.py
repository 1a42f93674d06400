"""Put trained weights into the manifest: `install_weights.py NAME FILE --scale S --floor DEG`."""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

from safetensors.torch import load_file, save_file

from horizon_rt.segmentation.net import NetSize

WEIGHTS = Path(__file__).parents[1] / "weights"
TEMPLATE = """# The shipped models. A file whose checksum differs from its entry is refused.
default = "{name}"

[model.{name}]
file = "{name}.safetensors"
sha256 = "{sha256}"
net = {{ channels = {channels}, blocks = {blocks}, attention = {attention} }}
# Net inputs are multiples of 32, the largest within 256x256 px of area that keep the picture's aspect.
input_area_px = 65536
# Standard deviation = scale x formal one of the fit, at least floor_deg; see docs/accuracy.md.
sigma = {{ scale = {scale}, floor_deg = {floor} }}
# Added to the presence logit after training, so that doubtful frames with a clear half plane are kept.
presence_shift = {shift}
trained = "{facts}"
split = "split.toml"
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("file", type=Path)
    parser.add_argument("--scale", type=float, required=True)
    parser.add_argument("--floor", type=float, required=True)
    parser.add_argument("--presence-shift", type=float, default=0.0, help="added to the presence logit")
    parser.add_argument("--facts", default="")
    options = parser.parse_args()
    state = {k: v for k, v in load_file(options.file).items() if not k.endswith("num_batches_tracked")}
    state["presence.bias"] += options.presence_shift
    target = WEIGHTS / f"{options.name}.safetensors"
    save_file(state, target)
    size = NetSize()
    (WEIGHTS / "manifest.toml").write_text(
        TEMPLATE.format(
            name=options.name,
            sha256=hashlib.sha256(target.read_bytes()).hexdigest(),
            channels=list(size.channels),
            blocks=list(size.blocks),
            attention=size.attention,
            scale=options.scale,
            floor=options.floor,
            shift=options.presence_shift,
            facts=options.facts,
        )
    )


if __name__ == "__main__":
    main()
