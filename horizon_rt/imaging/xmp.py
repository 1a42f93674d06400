"""XMP packets, the metadata of a picture in a file beside it (ISO 16684-1)."""

from __future__ import annotations

from collections.abc import Mapping
from xml.sax.saxutils import quoteattr

__all__ = ["xmp_packet"]

_SPACES = {
    "crs": "http://ns.adobe.com/camera-raw-settings/1.0/",
    "GPano": "http://ns.google.com/photos/1.0/panorama/",
    "tiff": "http://ns.adobe.com/tiff/1.0/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
}


def xmp_packet(properties: Mapping[str, str]) -> bytes:
    """A sidecar with simple properties by their names, such as 'tiff:Orientation'."""
    used = sorted({name.partition(":")[0] for name in properties})
    spaces = "".join(f'\n    xmlns:{prefix}="{_SPACES[prefix]}"' for prefix in used)
    values = "".join(f"\n    {name}={quoteattr(value)}" for name, value in properties.items())
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">\n'
        ' <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">\n'
        f'  <rdf:Description rdf:about=""{spaces}{values}/>\n'
        " </rdf:RDF>\n</x:xmpmeta>\n"
        '<?xpacket end="w"?>\n'
    ).encode()
