"""Train the default net with `python -m horizon_rt.training cache` and then `… train`."""

from __future__ import annotations

import argparse
from pathlib import Path

from horizon_rt.datasets import data_root


def main() -> None:
    """Parse the command line and run one of the two steps."""
    parser = argparse.ArgumentParser(prog="python -m horizon_rt.training")
    steps = parser.add_subparsers(dest="step", required=True)
    cache = steps.add_parser("cache", help="render and crop training samples")
    cache.add_argument("folder", type=Path)
    cache.add_argument("--count", type=int, default=24000)
    cache.add_argument("--seed", type=int, default=0)
    cache.add_argument("--workers", type=int, default=2)
    cache.add_argument("--rendered", type=float, default=0.47, help="share of procedural scenes")
    cache.add_argument("--split", type=Path, default=Path("weights/split.toml"))
    train = steps.add_parser("train", help="train on a cache")
    train.add_argument("caches", type=Path, nargs="+")
    train.add_argument("--out", type=Path, required=True)
    train.add_argument("--init", type=Path)
    train.add_argument("--samples", type=int, default=400_000)
    train.add_argument("--batch", type=int, default=32)
    train.add_argument("--rate", type=float, default=2e-3)
    train.add_argument("--threads", type=int, default=2)
    presence = steps.add_parser("presence", help="fit the presence head again on frozen features")
    presence.add_argument("caches", type=Path, nargs="+")
    presence.add_argument("--init", type=Path, required=True)
    presence.add_argument("--out", type=Path, required=True)
    options = vars(parser.parse_args())
    step = options.pop("step")
    if step == "cache":
        from horizon_rt.training.cache import build_cache

        root = data_root()
        if root is None:
            parser.error("no datasets found: set HORIZON_RT_DATA to their folder")
        build_cache(options.pop("folder"), root=root, **options)
    elif step == "train":
        from horizon_rt.training.loop import train as run

        run(**options)
    else:
        from horizon_rt.training.presence import fit_presence

        fit_presence(**options)


if __name__ == "__main__":
    main()
