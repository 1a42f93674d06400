"""Imports point one way: every room with what it may import, and no circle of files."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import horizon_rt

PACKAGE = Path(horizon_rt.__file__).parent
VALUES = {"_version", "errors", "frame", "geometry", "horizon", "options", "system"}
"""What stands at the bottom, for everybody above."""

MAY_IMPORT: dict[str, set[str]] = {
    "_version": set(),
    "errors": set(),
    "options": {"errors"},
    "geometry": {"system"},
    "system": {"_version", "errors", "options"},
    "frame": {"errors"},
    "horizon": {"geometry"},
    "camera": VALUES,
    "imaging": VALUES,
    "synth": VALUES | {"camera", "imaging"},
    "sources": VALUES | {"camera", "imaging", "synth"},
    "levelling": VALUES | {"camera"},
    "metadata": VALUES | {"camera", "imaging"},
    "models": VALUES,
    "segmentation": VALUES | {"imaging", "models"},
    "fitting": VALUES | {"camera", "models", "segmentation"},
    "tracking": VALUES | {"camera"},
    "tracker": VALUES | {"camera", "fitting", "models", "segmentation", "tracking"},
    "sidecars": VALUES | {"_version", "imaging"},
    "sinks": VALUES | {"camera", "imaging", "sidecars"},
    "links": VALUES | {"_version", "sinks"},
    "detections": VALUES | {"camera", "imaging", "sinks"},
    "serving": VALUES,
    "web": VALUES | {"links", "serving", "sinks", "sources"},
    "recording": VALUES | {"imaging", "sinks"},
    "pipeline": VALUES
    | {
        "camera",
        "detections",
        "imaging",
        "levelling",
        "links",
        "metadata",
        "recording",
        "reports",
        "sidecars",
    }
    | {"sinks", "sources", "tracker", "tracking", "web"},
    "batches": VALUES
    | {"_version", "camera", "imaging", "pipeline", "reports", "sidecars", "sinks", "sources"}
    | {"tracker"},
    "datasets": VALUES | {"camera", "imaging", "sources", "synth"},
    "metrics": {"geometry"},
    "reports": VALUES | {"camera", "imaging", "sinks"},
    "evaluation": VALUES
    | {"camera", "datasets", "metrics", "pipeline", "reports", "sinks", "tracker", "tracking"},
    "training": VALUES
    | {"camera", "datasets", "fitting", "imaging", "metrics", "models", "reports", "segmentation", "synth"},
    "inspection": VALUES
    | {"camera", "fitting", "imaging", "models", "reports", "segmentation", "sources", "tracker"},
    "label": VALUES | {"camera", "datasets", "imaging", "pipeline", "serving", "sources", "tracker"},
    "bench": VALUES
    | {"camera", "imaging", "models", "pipeline", "reports", "segmentation", "sinks", "sources", "tracker"},
    "photos": VALUES | {"_version", "camera", "imaging", "reports", "sources", "tracker"},
    "tracks": VALUES | {"pipeline", "sinks"},
    "flight_logs": VALUES | {"metadata", "tracks"},
    "comparison": VALUES | {"_version", "camera", "reports", "tracks"},
    "api": VALUES | {"batches", "camera", "photos", "pipeline", "sinks", "sources", "tracker", "tracks"},
    "__init__": VALUES
    | {"api", "camera", "comparison", "flight_logs", "sources", "tracker", "tracking", "tracks"},
    "__main__": {"cli"},
}
ANYTHING = {"cli"}


def module_of(path: Path, package: Path) -> str:
    parts = (package.name, *path.relative_to(package).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 2 else parts)


def imports_of(path: Path, modules: Mapping[str, Path]) -> set[str]:
    """Modules of the package that a file names in its imports, lazy ones and those for types, too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    return {name for name in found if name in modules}


def modules_of(package: Path) -> dict[str, Path]:
    return {module_of(path, package): path for path in sorted(package.rglob("*.py"))}


def graph_of(package: Path) -> dict[str, set[str]]:
    """Imports between files; a package counts where a name of it is imported, not on the way to a module."""
    modules = modules_of(package)
    graph = {}
    for name, path in modules.items():
        wanted = imports_of(path, modules) - {name}
        graph[name] = {one for one in wanted if not any(other.startswith(f"{one}.") for other in wanted)}
    return graph


def room_of(module: str) -> str:
    return module.split(".")[1]


def arrows_up(package: Path) -> list[str]:
    wrong = []
    for module, imported in graph_of(package).items():
        room = room_of(module)
        allowed = MAY_IMPORT.get(room, set()) | {room}
        if room not in ANYTHING:
            wrong += [f"{module} imports {other}" for other in imported if room_of(other) not in allowed]
    return wrong


def circle(package: Path) -> list[str] | None:
    try:
        tuple(TopologicalSorter(graph_of(package)).static_order())
    except CycleError as error:
        return list(error.args[1])
    return None


def test_every_room_is_listed() -> None:
    rooms = {room_of(module) for module in modules_of(PACKAGE)}
    assert rooms == MAY_IMPORT.keys() | ANYTHING


def test_what_rooms_may_import_has_no_circle() -> None:
    assert tuple(TopologicalSorter(MAY_IMPORT).static_order())


def test_imports_point_down() -> None:
    assert arrows_up(PACKAGE) == []


def test_no_files_import_each_other_in_a_circle() -> None:
    assert circle(PACKAGE) is None


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """Two files of which one imports the other, with the names of rooms."""
    root = tmp_path / "horizon_rt"
    for room in ("geometry", "camera"):
        (root / room).mkdir(parents=True)
        (root / room / "__init__.py").write_text("")
    (root / "geometry" / "line.py").write_text("")
    (root / "camera" / "lens.py").write_text("from horizon_rt.geometry import line\n")
    return root


def test_an_arrow_up_is_found(package: Path) -> None:
    assert arrows_up(package) == []
    (package / "geometry" / "line.py").write_text("def f():\n    import horizon_rt.camera.lens\n")
    assert arrows_up(package) == ["horizon_rt.geometry.line imports horizon_rt.camera.lens"]


def test_a_circle_is_found(package: Path) -> None:
    assert circle(package) is None
    (package / "geometry" / "line.py").write_text("from horizon_rt.camera.lens import Lens\n")
    assert set(circle(package) or ()) == {"horizon_rt.geometry.line", "horizon_rt.camera.lens"}


NAMED_TUPLE = {"_fields", "_replace"}
PATCHES = {"setattr", "delattr", "getattr"}
OWN = {"self", "cls", "super()"}


def privates_of(source: str) -> list[str]:
    """Names with an underscore that a file takes from what is not itself."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and _is_private(node.attr):
            found += [] if ast.unparse(node.value) in OWN else [node.attr]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("horizon_rt"):
            found += [alias.name for alias in node.names if _is_private(alias.name)]
        elif (
            isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in PATCHES
        ):
            texts = [str(argument.value) for argument in node.args if isinstance(argument, ast.Constant)]
            found += [text for text in texts if any(map(_is_private, text.split(".")))]
    return found


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name not in NAMED_TUPLE


@pytest.mark.parametrize("folder", ["tests", "benchmarks"])
def test_nobody_takes_the_privates_of_another_module(folder: str) -> None:
    root = PACKAGE.parent / folder
    if not root.is_dir():
        pytest.skip("the package is installed without its repository")
    taken = {
        path.relative_to(root): privates_of(path.read_text(encoding="utf-8")) for path in root.rglob("*.py")
    }
    assert {str(path): names for path, names in taken.items() if set(names) - FOREIGN} == {}


FOREIGN = {"_save_data"}
"""Of Numba, which has no public way to meet a full disk."""


def test_privates_of_another_module_are_found() -> None:
    source = """
import horizon_rt.tracker as t
from horizon_rt.tracker import _NOTHING
t.HorizonTracker()._filter; self._own; point._replace(x=1); patch.setattr(t, "_hidden", 1)
patch.setattr("horizon_rt.tracker._other", 1)
getattr(t, "_read")
"""
    assert sorted(privates_of(source)) == [
        "_NOTHING",
        "_filter",
        "_hidden",
        "_read",
        "horizon_rt.tracker._other",
    ]
