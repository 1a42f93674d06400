"""Files in object stores, such as s3://bucket/flight.mp4, through fsspec."""

from __future__ import annotations

import re
from typing import Any

from horizon_rt.errors import SourceError, SourceNotFound
from horizon_rt.system.extras import require

__all__ = ["find_objects", "is_object", "object_facts", "open_object"]

_SCHEME = re.compile(r"(s3|s3a|gs|gcs|az|abfs|abfss|memory)://", re.IGNORECASE)
_BLOCK = 1 << 20


def is_object(text: str) -> bool:
    """Whether this names something in an object store."""
    return _SCHEME.match(text) is not None


def _store(address: str) -> tuple[Any, str]:
    require("cluster", address)
    import fsspec

    try:
        store, path = fsspec.core.url_to_fs(address)
    except Exception as error:  # of each store's own family
        raise SourceError(f"{address} cannot be opened: {error}") from error
    return store, path


def open_object(address: str) -> Any:
    """A binary file that can be read and sought; raises SourceNotFound and SourceError."""
    store, path = _store(address)
    try:
        return store.open(path, "rb", block_size=_BLOCK)
    except FileNotFoundError as error:
        raise SourceNotFound(f"{address}: no such object; check the name") from error
    except Exception as error:
        raise SourceError(f"{address} cannot be read: {error}") from error


def object_facts(address: str) -> dict[str, Any]:
    """What tells an object from another one: size, and its tag or time of change; raises OSError."""
    store, path = _store(address)
    try:
        store.invalidate_cache()
        facts = store.info(path)
    except OSError:
        raise
    except Exception as error:
        raise OSError(f"{address} cannot be read: {error}") from error
    tag = facts.get("ETag") or facts.get("etag") or facts.get("LastModified") or facts.get("created")
    return {"size": facts.get("size"), "tag": str(tag)}


def find_objects(address: str) -> list[str]:
    """The addresses that a pattern matches, or that lie below a folder; the address itself where it is one.

    Raises SourceNotFound where there is nothing, and SourceError.
    """
    store, path = _store(address)
    try:
        if store.isfile(path):
            return [address]
        found = store.glob(path) if any(c in path for c in "*?[") else store.find(path)
    except Exception as error:
        raise SourceError(f"{address} cannot be read: {error}") from error
    if not found:
        raise SourceNotFound(f"{address}: no such object; check the name")
    return [str(store.unstrip_protocol(one)) for one in sorted(found)]
