"""What the site has beyond the documents: the command line, from the options themselves."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
GENERATED = "docs/cli.md"
COMMAND = (sys.executable, "-m", "typer", "horizon_rt.cli.app", "utils", "docs", "--name", "horizon-rt")


def on_files(files: Files, config: Any) -> Files:
    """Add the reference of the command line."""
    said = subprocess.run(
        [*COMMAND, "--title", "Command line"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    files.append(File.generated(config, GENERATED, content=said.stdout))
    return files
