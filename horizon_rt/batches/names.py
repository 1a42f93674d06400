"""What the outputs of an input are called, by a template such as '{parent}/{stem}'."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from string import Formatter

from horizon_rt.errors import OptionsError, OutputError

__all__ = ["Found", "check_distinct", "check_template", "fill_template"]

FIELDS = ("stem", "name", "ext", "parent", "path", "index")
_ADVICE = ("{parent}_{stem}", "{path}", "{name}", "{path}{ext}", "{stem}-{index}")


@dataclass(frozen=True, slots=True)
class Found:
    """An input, with its path below the folder that it was found in (its name where it was named itself)."""

    source: str
    below: PurePath
    is_folder: bool = False

    @property
    def fields(self) -> dict[str, str]:
        """What a template may name, but for the index."""
        absolute = Path(os.path.abspath(self.source)) if "://" not in self.source else PurePath(self.source)
        ext = "" if self.is_folder else absolute.suffix
        return {
            "stem": absolute.name.removesuffix(ext) or "root",
            "name": absolute.name or "root",
            "ext": ext,
            "parent": absolute.parent.name or "root",
            "path": str(self.below).removesuffix(ext) if self.below.name else absolute.name,
        }


def check_template(template: str) -> None:
    """Raises OptionsError for a template that names no input, or what is no field."""
    try:
        parts = [(name, spec) for _, name, spec, _ in Formatter().parse(template) if name is not None]
        example = dict.fromkeys(FIELDS, "a") | {"index": 1}
        known = all(name in FIELDS for name, _ in parts)
        filled = template.format_map(example) if known else ""
    except (ValueError, IndexError, KeyError, AttributeError) as error:
        raise OptionsError(f"--name {template!r} is no template: {error}") from error
    if not parts or not known:
        fields = ", ".join(f"{{{name}}}" for name in FIELDS)
        raise OptionsError(f"--name is made of {fields}, such as '{{parent}}_{{stem}}', got {template!r}")
    if PurePath(filled).is_absolute() or ".." in PurePath(filled).parts or filled.endswith("/"):
        raise OptionsError(f"--name is a file name below --out, got {template!r}")


def fill_template(template: str, found: Found, index: int) -> str:
    """The name for an input; raises OutputError for one that leads out of the folder of outputs."""
    values: Mapping[str, object] = {**found.fields, "index": index}
    name = PurePath(template.format_map(values))
    if name.is_absolute() or not name.name or {"..", ".horizon-rt"} & set(name.parts):
        raise OutputError(f"{found.source} would be called {name}, which is no name below --out")
    return str(name)


def check_distinct(template: str, found: Sequence[Found], paths: Sequence[Iterable[Path]]) -> None:
    """Raises OutputError where two inputs want the same output; letters of both cases count as one."""
    owners: dict[str, Found] = {}
    for one, wanted in zip(found, paths, strict=True):
        for path in wanted:
            other = owners.setdefault(os.path.abspath(path).casefold(), one)
            if other is not one:
                raise OutputError(
                    f"{other.source} and {one.source} would both be written to {path}; "
                    f"{_advice(template, found)}"
                )


def _advice(template: str, found: Sequence[Found]) -> str:
    for other in _ADVICE:
        names = defaultdict(list)
        for index, one in enumerate(found, 1):
            names[fill_template(other, one, index).casefold()].append(one)
        if other != template and len(names) == len(found):
            return f"give --name '{other}'"
    return "give another --name"
