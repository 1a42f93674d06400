"""COCO's object detection format: images, annotations with bbox = [x, y, width, height], categories."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from horizon_rt.detections.boxes import Box, corners
from horizon_rt.detections.fields import frame_of, numbers
from horizon_rt.errors import DetectionsError

__all__ = ["boxes_of"]

_FRAME = ("frame", "frame_index", "frame_id")


def boxes_of(document: Mapping[str, Any]) -> Iterator[Box]:
    """A box for each annotation that has one, in order, by the frame or the file of its image.

    An image is a frame of a video where it says so (`frame`, `frame_index` or `frame_id`). Raises
    DetectionsError.
    """
    images = {_id(image, "image"): image for image in _objects(document, "images")}
    names = {_id(kind, "category"): kind.get("name") for kind in _objects(document, "categories")}
    for place, annotation in enumerate(_objects(document, "annotations")):
        if "bbox" not in annotation:
            continue
        image = images.get(_key(annotation.get("image_id")))
        if image is None:
            raise DetectionsError(f"annotation {place + 1} has no image of its image_id")
        values = {"annotation": place, "score": annotation.get("score")}
        values["label"] = names.get(_key(annotation.get("category_id")))
        edges = corners(*numbers(annotation["bbox"], f"bbox of annotation {place + 1}"))
        frame, file = frame_of(image, _FRAME), _file(image)
        if frame is None and file is None:
            raise DetectionsError(f"the image of annotation {place + 1} has no file_name and no frame")
        yield Box(edges, frame=frame, file=file, values=_present(values))


def _objects(document: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    found = document.get(key, [])
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise DetectionsError(f"{key} is a list of objects")
    return found


def _id(value: Mapping[str, Any], what: str) -> str:
    if "id" not in value:
        raise DetectionsError(f"an {what} without an id" if what == "image" else f"a {what} without an id")
    return _key(value["id"])


def _key(value: Any) -> str:
    return f"{value:d}" if isinstance(value, int) else ascii(value)[:200]


def _file(image: Mapping[str, Any]) -> str | None:
    name = image.get("file_name")
    return name if isinstance(name, str) and name else None


def _present(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
