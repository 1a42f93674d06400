"""What a module exports: it is there, others import nothing else, and somebody uses it."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

import pytest

import horizon_rt

PACKAGE = Path(horizon_rt.__file__).parent
ROOT = PACKAGE.parent
WORD = re.compile(r"\w+")


def parsed(folder: Path) -> dict[Path, ast.Module]:
    return {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(folder.rglob("*.py"))}


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def exported(tree: ast.Module) -> set[str] | None:
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return set(ast.literal_eval(node.value))
    return None


def defined(tree: ast.Module) -> set[str]:
    """Names at the top of a module, those of its imports and for type checkers among them."""
    found: set[str] = set()
    blocks = [node for node in tree.body if isinstance(node, (ast.If, ast.Try))]
    for node in [*tree.body, *(inner for block in blocks for inner in ast.walk(block))]:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            found |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {name.id for t in targets for name in ast.walk(t) if isinstance(name, ast.Name)}
    return found


def imported(trees: dict[Path, ast.Module]) -> dict[str, set[str]]:
    """For each module of the package the names that others import from it or read as an attribute of it."""
    found: dict[str, set[str]] = defaultdict(set)
    for tree in trees.values():
        bound: dict[str, str] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("horizon_rt"):
                for alias in node.names:
                    found[str(node.module)].add(alias.name)
                    bound[alias.asname or alias.name] = f"{node.module}.{alias.name}"
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and getattr(node.value, "id", None) in bound:
                found[bound[node.value.id]].add(node.attr)  # type: ignore[attr-defined]
    return found


PACKAGE_TREES = parsed(PACKAGE)
MODULES = {dotted(path): tree for path, tree in PACKAGE_TREES.items()}


def test_every_module_says_what_it_exports() -> None:
    silent = {name for name, tree in MODULES.items() if exported(tree) is None and tree.body[1:]}
    assert silent <= {"horizon_rt.__main__", "horizon_rt._version"}


@pytest.mark.parametrize("module", sorted(MODULES))
def test_what_is_exported_is_there(module: str) -> None:
    tree = MODULES[module]
    if module == "horizon_rt":  # its names are loaded at their first use
        assert all(hasattr(horizon_rt, name) for name in exported(tree) or ())
    else:
        assert (exported(tree) or set()) - defined(tree) == set()


def test_nobody_imports_what_is_not_exported() -> None:
    taken = imported(PACKAGE_TREES)
    wrong = {}
    for module, names in taken.items():
        if module in MODULES and (known := exported(MODULES[module])) is not None:
            inside = {name.removeprefix(f"{module}.") for name in MODULES if name.startswith(f"{module}.")}
            if more := {name for name in names - known - inside if not name.startswith("__")}:
                wrong[module] = more
    assert wrong == {}


def test_somebody_uses_what_is_exported() -> None:
    """Another file names it, or it is the type of what a function takes or gives."""
    if not (ROOT / "tests").is_dir():
        pytest.skip("the package is installed without its repository")
    folders = (PACKAGE, ROOT / "tests", ROOT / "benchmarks")
    words = {path: set(WORD.findall(path.read_text("utf-8"))) for f in folders for path in f.rglob("*.py")}
    unused = {}
    for path, tree in PACKAGE_TREES.items():
        if path.name != "__init__.py" and (names := exported(tree)):
            elsewhere = set().union(*(found for other, found in words.items() if other != path))
            if left := names - elsewhere - annotations(tree):
                unused[dotted(path)] = left
    assert unused == {}


def annotations(tree: ast.Module) -> set[str]:
    """Words of the types of all arguments, results and fields."""
    hints: list[ast.expr | None] = []
    for node in ast.walk(tree):
        if isinstance(node, (ast.AnnAssign, ast.arg)):
            hints.append(node.annotation)
        elif isinstance(node, ast.FunctionDef):
            hints.append(node.returns)
    return {word for hint in hints if hint is not None for word in WORD.findall(ast.unparse(hint))}
