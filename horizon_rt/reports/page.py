"""Pages of reports: one look for all, and nothing loaded from elsewhere."""

from __future__ import annotations

import base64
from typing import Any

__all__ = ["embedded", "render_page"]


def render_page(template: str, **values: Any) -> str:
    """HTML of a template of this package; `values` are what it shows."""
    from jinja2 import Environment, PackageLoader

    from horizon_rt._version import __version__

    environment = Environment(loader=PackageLoader("horizon_rt.reports"), autoescape=True, trim_blocks=True)
    return environment.get_template(template).render(version=__version__, **values)


def embedded(data: bytes, kind: str) -> str:
    """A picture of this kind (png, jpeg) as the address of an image element."""
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
