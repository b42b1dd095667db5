"""Means of samples by cell: arrays [down, across] for heat maps."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lccp_evaluator.records import FloatArray, Records


@dataclass(frozen=True)
class Cells:
    """Samples by two of their values, each [N]."""

    down: NDArray[Any]
    across: NDArray[Any]

    @property
    def rows(self) -> NDArray[Any]:
        """Values along `down`, ascending."""
        return np.unique(self.down)

    @property
    def columns(self) -> NDArray[Any]:
        """Values along `across`, ascending."""
        return np.unique(self.across)

    @property
    def samples(self) -> NDArray[np.int64]:
        """Samples in each cell."""
        counts: NDArray[np.int64] = self._inside().sum(axis=0)
        return counts

    def means(self, column: NDArray[Any]) -> FloatArray:
        """Mean of `column` [N] in each cell; NaN where there is no sample."""
        with np.errstate(invalid="ignore"):
            sums = np.tensordot(column.astype(np.float64), self._inside(), axes=1)
            averaged: FloatArray = sums / self.samples
        return averaged

    def _inside(self) -> NDArray[np.bool_]:
        """[N, down, across]"""
        row = self.down[:, None] == self.rows
        column = self.across[:, None] == self.columns
        inside: NDArray[np.bool_] = row[:, :, None] & column[:, None, :]
        return inside


def by_depth_and_length(
    depth_percent: NDArray[Any],
    length: NDArray[Any],
    nll: FloatArray,
    source_context: int,
    more: Mapping[str, NDArray[Any]],
) -> dict[str, NDArray[Any]]:
    """Details of prompts by cell [depths, lengths], and by depth in both bands.

    `more` are further columns [N] to average.
    """
    cells = Cells(depth_percent, length)
    means = cells.means(nll)
    details = {
        "lengths": cells.columns,
        "depths_percent": cells.rows,
        "samples": cells.samples,
        "nll": means,
        "ppl": np.exp(means),
        **{name: cells.means(column) for name, column in more.items()},
    }
    beyond = cells.columns > source_context
    for name, band in (("ppl_by_depth", beyond), ("ppl_by_depth_guard", ~beyond)):
        if band.any():
            details[name] = np.exp(means[:, band].mean(axis=1))
    return details


def by_sample(records: Records, columns: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Per sample [N]: its identity, its `nll`, and `columns`.

    Per answer token of all samples in sequence: `token_nll`, `token_is_arg_max`; sample i has those
    from `token_offsets[i]` to `token_offsets[i + 1]`.
    """
    counts = [len(reading.nll) for reading in records.readings]
    return {
        **records.columns(),
        "nll": records.nll,
        **columns,
        "token_nll": np.concatenate([reading.nll for reading in records.readings]),
        "token_is_arg_max": np.concatenate([reading.is_arg_max for reading in records.readings]),
        "token_offsets": np.concatenate(([0], np.cumsum(counts))),
    }
