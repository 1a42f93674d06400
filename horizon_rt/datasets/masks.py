"""Folders of masks beside folders of pictures, as CamVid and many others have them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from horizon_rt.datasets.base import Colours, Example, Label, MaskFile, PictureSet
from horizon_rt.errors import DatasetError
from horizon_rt.imaging.suffixes import IMAGE_SUFFIXES

__all__ = ["mask_examples", "open_mask_folder", "parse_palette"]

_ENTRY = re.compile(r"(sky|void)=(\d{1,3}),(\d{1,3}),(\d{1,3})")
_MASK_ENDS = ("", "_L")  # CamVid: 0001TP_006690.png and 0001TP_006690_L.png


def parse_palette(entries: Sequence[str]) -> tuple[Colours, Colours]:
    """The colours of the sky and of what does not count, of `sky=R,G,B` and `void=R,G,B` entries.

    Raises DatasetError.
    """
    palette: dict[str, list[tuple[int, int, int]]] = {"sky": [], "void": []}
    for entry in entries:
        match = _ENTRY.fullmatch(entry.strip())
        r, g, b = map(int, match.groups()[1:]) if match else (-1, -1, -1)
        if match is None or max(r, g, b) > 255:
            raise DatasetError(f"a palette entry is sky=R,G,B or void=R,G,B with 0..255, got {entry!r}")
        palette[match[1]].append((r, g, b))
    if palette["void"] and not palette["sky"]:
        raise DatasetError("a palette needs the colour of the sky, such as sky=128,128,128")
    return tuple(palette["sky"]), tuple(palette["void"])


def open_mask_folder(images: Path, masks: Path, *, sky: Colours = (), void: Colours = ()) -> PictureSet:
    """Pictures and masks of the same names (CamVid's `_L` may end a mask's); raises DatasetError.

    Without `sky` the masks are grey with 128 and more above the horizon. The dataset is named after the
    folder of the pictures, with its parent where that is called images.
    """
    examples = mask_examples(images, masks, scene="any", sky=sky, void=void)
    resolved = images.resolve()
    name = resolved.parent.name if resolved.name == "images" else resolved.name
    return PictureSet(examples, name=name, truth="mask")


def mask_examples(
    images: Path,
    masks: Path,
    *,
    scene: str,
    sky: Colours = (),
    void: Colours = (),
    classes: tuple[Colours, ...] = (),
) -> list[Example]:
    """One example for each picture that has a mask; raises DatasetError where there is none at all."""
    pictures, stems = _pictures(images), {path.stem: path for path in _pictures(masks)}
    found = []
    for picture in pictures:
        mask = next((stems[picture.stem + end] for end in _MASK_ENDS if picture.stem + end in stems), None)
        if mask is not None:
            label = Label(mask=MaskFile(path=mask, sky=sky, void=void, classes=classes))
            found.append(Example(path=picture, label=label, scene=scene))
    if not found:
        raise DatasetError(f"no picture of {images} has a mask of its name in {masks}")
    return found


def _pictures(folder: Path) -> list[Path]:
    try:
        every = [path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES]
    except OSError as error:
        raise DatasetError(f"{folder} cannot be listed: {error.strerror}") from error
    return sorted(every)
