"""The files of a page: those beside a package, and those that all pages share."""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources
from importlib.resources.abc import Traversable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

__all__ = ["page_file", "page_routes"]

_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


def page_routes(package: str) -> list[Route]:
    """A route for each file in the folder `page` of a package; index.html is `/`, too."""
    files = {file.name: file for owner in (__package__, package) for file in _files(owner)}
    return [Route("/", _answer(files["index.html"])), *(Route(f"/{n}", _answer(f)) for n, f in files.items())]


def page_file(package: str, name: str) -> bytes:
    """A file in the folder `page` of a package."""
    return resources.files(package).joinpath("page", name).read_bytes()


def _files(package: str) -> list[Traversable]:
    return [entry for entry in resources.files(package).joinpath("page").iterdir() if entry.is_file()]


def _answer(file: Traversable) -> Callable[[Request], Response]:
    data = file.read_bytes()
    media_type = _TYPES[file.name[file.name.rindex(".") :]]
    return lambda _: Response(data, media_type=media_type)
