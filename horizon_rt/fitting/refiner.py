"""The horizon of the mask, laid onto the edge that is seen at full resolution; or left where it is.

Luma profiles are taken across the horizon at stations along it (`stations`). The most probable edge in them
is searched (`edge_search`), and a robust fit through the sub-pixel gradient maxima of the stations follows
(`subpixel`). Where no edge is probable the mask's plane stays, less certain (`uncertainty`).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from horizon_rt.camera import Camera
from horizon_rt.fitting.edge_search import FINE_PX, ROWS, Edge, EdgeSearch
from horizon_rt.fitting.profiles import sample_strip
from horizon_rt.fitting.stations import STATIONS, Stations
from horizon_rt.fitting.subpixel import fit_subpixel
from horizon_rt.fitting.uncertainty import DEFAULT_UNCERTAINTY, Uncertainty
from horizon_rt.frame import DevicePlane, Plane
from horizon_rt.horizon import Attitude, Measurement

__all__ = ["HorizonRefiner"]

Array = NDArray[np.float64]

_KEPT_SHARE, _GROWTH = 0.5, 4.0  # of the last key frame's stations and covariance
_SHOWN = 0.5  # trust from which a station counts as one on the edge
_NO_MASK = np.zeros((2, 2))
_WINDOW_STEPS, _MIN_WINDOW_PX = 1.5, 2.0  # in which a station's maximum belongs to the edge


class HorizonRefiner:
    """Refines the horizons of one camera's frames; reuses its buffers, so each thread needs its own.

    `dip` is the angle in rad of the visible horizon below level.
    """

    def __init__(
        self, camera: Camera, *, dip: float = 0.0, uncertainty: Uncertainty = DEFAULT_UNCERTAINTY
    ) -> None:
        self.uncertainty = uncertainty
        self._stations = Stations(camera, dip=dip)
        self._search = EdgeSearch(self._stations)
        self._rows = np.empty((ROWS, STATIONS))

    def refine(self, luma: Plane | DevicePlane, measured: Measurement, *, bit_depth: int = 8) -> Measurement:
        """The measurement with its plane on the visible edge, or where it was, less certain; as it was where
        too little of the horizon is in view.

        `luma` is (height, width), uint8 or uint16 with `bit_depth` low bits, of the camera's size; or a
        `DevicePlane`, of which only the profiles leave the GPU.
        """
        gain = 2.0 ** (8 - bit_depth)
        strip = self._stations.strip(measured.up)
        if strip is None or self._search.first_step_px(strip, strip.prior(measured)) is None:
            return measured
        edge = self._search.find(luma, measured, strip, gain)
        mask_share = self.uncertainty.of_mask_share(strip.prior(measured))
        fitted = None if edge is None else self._fit(luma, edge, mask_share, gain)
        if edge is None or fitted is None or self.uncertainty.is_worse(fitted, measured):
            return self.uncertainty.unsupported(measured)
        return fitted

    def align(
        self, luma: Plane | DevicePlane, predicted: Attitude, key: Measurement, *, bit_depth: int = 8
    ) -> Measurement | None:
        """The plane on the visible edge near a predicted one, in a frame that the net does not look at; None
        where no edge is believed.

        `key` is what `refine` gave at the last key frame, on an edge: the edge has the same sign as there,
        lies on half as many stations at least, and its time-correlated covariance is no smaller.
        """
        gain = 2.0 ** (8 - bit_depth)
        strip = self._stations.strip(predicted.up)
        if strip is None or key.edge_sign == 0.0:
            return None
        proposal = self.uncertainty.of_prediction(predicted, strip)
        edge = self._search.find(luma, proposal, strip, gain)
        fitted = None if edge is None or edge.sign != key.edge_sign else self._fit(luma, edge, _NO_MASK, gain)
        if fitted is None or fitted.inliers < _KEPT_SHARE * key.inliers:
            return None
        aligned = self.uncertainty.at_least_as_correlated(fitted, key)
        return aligned if np.trace(aligned.covariance) < _GROWTH * np.trace(key.covariance) else None

    def _fit(self, luma: Plane | DevicePlane, edge: Edge, mask_share: Array, gain: float) -> Measurement:
        """The plane through the sub-pixel maxima near an edge; where they are not consistent, the edge's."""
        strip = edge.strip
        sample_strip(luma, strip, FINE_PX, gain, self._rows)
        window = max(_MIN_WINDOW_PX, _WINDOW_STEPS * edge.step_px) / FINE_PX
        on, first, last, formal = fit_subpixel(
            self._rows, strip.scales / FINE_PX, strip.shares, edge.sign, window, edge.trust, strip.lift_sd
        )
        others = edge.others + mask_share
        if on == 0:
            on, formal, others = int((edge.trust > _SHOWN).sum()), edge.rounding, others + edge.place
        up = strip.moved(edge.up, first, last)
        fitted = self.uncertainty.of_edge(up, strip, formal, others, on)
        return replace(fitted, edge_sign=edge.sign)
