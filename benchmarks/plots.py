"""What was measured, drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.report import NAMES

__all__ = ["PLOTS", "draw"]

PLOTS: Final = {
    "rows": "rows of 10, 100 and 1,000 entries",
    "sums": "sums by date of 10, 100 and 1,000 entries",
    "mix": "the mix of users, 1, 10 and 100 at a time",
    "warm": "the warm beside a bare COPY and the predecessor's",
}
"""By the end of the file's name: what it shows."""

# Okabe and Ito's colours, which those who see few colours can tell apart.
_OURS, _FLOOR, _POSTGRES, _DUCKDB, _BEFORE, _RESULTS = (
    "#009E73",
    "#999999",
    "#0072B2",
    "#E69F00",
    "#D55E00",
    "#CC79A7",
)
_COLOURS: Final = {
    "resident": "#56B4A0",
    "store": _OURS,
    "store_lookup": "#99D5C3",
    "floor": _FLOOR,
    "one_get": "#BBBBBB",
    "postgres_int8": _POSTGRES,
    "postgres_arrays_tuned": "#56B4E9",
    "postgres": _POSTGRES,
    "duckdb_table": _DUCKDB,
    "v2_json": _BEFORE,
    "v1": "#882255",
    "result_cache": _RESULTS,
}
_STYLE: Final[Any] = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.axis": "x",
    "grid.color": "#DDDDDD",
    "savefig.dpi": 144,
    "savefig.facecolor": "white",
}


def draw(found: Mapping[str, Any], folder: Path) -> list[Path]:
    """Draw whatever was measured.

    Args:
        found: the figures.
        folder: there is one.

    Returns:
        the files: ``benchmark-….png``.
    """
    drawn = []
    figures = found["figures"]
    with mpl.rc_context(_STYLE):
        for form in ("rows", "sums"):
            sizes = figures.get("queries", {}).get(form, {})
            sizes = {
                entries: sizes[entries] for entries in ("10", "100", "1000") if entries in sizes
            }
            if sizes:
                drawn.append(_save(_queries(form, sizes), folder, form))
        if "mix" in figures:
            drawn.append(_save(_mix(figures["mix"]), folder, "mix"))
        if "warm" in figures:
            drawn.append(_save(_warm(figures["warm"]), folder, "warm"))
    return drawn


def _save(figure: Figure, folder: Path, name: str) -> Path:
    path = folder / f"benchmark-{name}.png"
    figure.savefig(path, metadata={"Software": None})
    return path


def _queries(form: str, sizes: Mapping[str, Mapping[str, Any]]) -> Figure:
    figure = Figure(figsize=(8.5, 7.5), layout="constrained")
    what = "Rows: date and value" if form == "rows" else "Sums by date"
    figure.suptitle(f"{what}; p50, and a line to p95, in ms", x=0.01, ha="left")
    axes = figure.subplots(len(sizes), 1, sharex=True, squeeze=False)[:, 0]
    for axis, (entries, times) in zip(axes, sizes.items(), strict=True):
        names = [name for name in _COLOURS if name in times]
        _bars(
            axis,
            names,
            [times[name]["p50"] for name in names],
            [times[name]["p95"] for name in names],
        )
        axis.set_title(f"{int(entries):,} entries", loc="left", fontsize=9, fontweight="bold")
    axes[-1].set_xlabel("ms, on a logarithmic scale")
    return figure


def _bars(axis: Axes, names: Sequence[str], values: Sequence[float], ends: Sequence[float]) -> None:
    places = range(len(names))
    axis.set_xscale("log")
    axis.barh(places, values, color=[_COLOURS[name] for name in names])
    axis.hlines(places, values, ends, color="#444444", linewidth=1)
    # Room for the shortest bar and the last figure; the rows of plots share their scale.
    left, right = axis.get_xlim()
    axis.set_xlim(min([left, *(each / 2 for each in values)]), max([right, *(2 * e for e in ends)]))
    axis.set_yticks(places, [NAMES[name] for name in names])
    axis.invert_yaxis()
    for place, (value, end) in enumerate(zip(values, ends, strict=True)):
        axis.annotate(
            f"{value:.3g}",
            (max(value, end), place),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )


def _mix(mix: Mapping[str, Any]) -> Figure:
    figure = Figure(figsize=(8.5, 6.5), layout="constrained")
    figure.suptitle("A mix of users; p50, and a line to p95, in ms", x=0.01, ha="left")
    sizes = [size for size in ("1", "10", "100") if size in mix]
    axes = figure.subplots(len(sizes), 1, sharex=True, squeeze=False)[:, 0]
    for axis, at_a_time in zip(axes, sizes, strict=True):
        bursts = mix[at_a_time]
        names = [name for name in _COLOURS if name in bursts]
        times = [bursts[name]["times"] for name in names]
        _bars(axis, names, [each["p50"] for each in times], [each["p95"] for each in times])
        axis.set_title(f"{at_a_time} at a time", loc="left", fontsize=9, fontweight="bold")
    axes[-1].set_xlabel("ms, on a logarithmic scale")
    return figure


def _warm(warm: Mapping[str, Any]) -> Figure:
    figure = Figure(figsize=(8.5, 2.8), layout="constrained")
    figure.suptitle(f"Warm of {warm['rows']:,} rows, in seconds", x=0.01, ha="left")
    axis = figure.subplots()
    bars = {
        **{f"COPY, read by {name}": (s, _FLOOR) for name, s in warm["copy_seconds"].items()},
        "warmcube": (warm["seconds"], _OURS),
        NAMES["v2_json"]: (warm["v2_json"]["seconds"], _BEFORE),
    }
    seconds = [each for each, _ in bars.values()]
    axis.barh(range(len(bars)), seconds, color=[colour for _, colour in bars.values()])
    axis.set_yticks(range(len(bars)), list(bars))
    axis.invert_yaxis()
    for place, each in enumerate(seconds):
        axis.annotate(
            f"{each:.2f}", (each, place), xytext=(4, 0), textcoords="offset points", va="center"
        )
    return figure
