"""Figures with one message each: intervals always, the baseline in grey, no style left behind."""

from __future__ import annotations

import base64
import io
import sys
import textwrap
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pandas as pd

from ..errors import UserError
from .tables import missing, number, plain_decimals

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, told apart with any colour vision; grey is kept for the baseline
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00")
MARKERS = ("o", "s", "^", "D", "v")
GREY = "#8a9099"
WIDTH = 7.2  # inches: one text column
DPI = 192  # two pixels for each one of CSS

STYLE = {
    "font.size": 9.5,
    "text.parse_math": False,  # "$40 to $50" is money, not a formula
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#b4bac2",
    "axes.labelcolor": "#3d444d",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e6e9ed",
    "grid.linewidth": 0.8,
    "xtick.color": "#3d444d",
    "ytick.color": "#3d444d",
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlepad": 12,
    "legend.frameon": False,
}


def show(fig: Figure, alt: str) -> None:
    """Display a figure as PNG with its text for those who cannot see it, and close it.

    Parameters
    ----------
    fig : matplotlib.figure.Figure
    alt : str
        What the figure shows, in a sentence or two.

    Raises
    ------
    UserError
        If ``alt`` is empty.
    """
    if not alt.strip():
        raise UserError("the figure has no alt text: say in a sentence what it shows.")
    from IPython.display import display

    png = io.BytesIO()
    fig.savefig(png, format="png", dpi=DPI, facecolor="white")
    data = {
        "image/png": base64.b64encode(png.getvalue()).decode(),
        "text/plain": f"Figure: {alt.strip()}",
    }
    width = round(fig.get_size_inches()[0] * 96)
    display(data, raw=True, metadata={"image/png": {"alt": alt.strip(), "width": width}})
    # only pyplot keeps figures alive; ours never went through it
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close(fig)


def dots(
    frame: pd.DataFrame,
    title: str,
    *,
    value: str = "value",
    low: str = "low",
    high: str = "high",
    label: str = "label",
    group: str | None = None,
    baseline: str | float | Collection[str] | None = None,
    xlabel: str = "",
) -> Figure:
    """Draw one dot with its interval for each row.

    Parameters
    ----------
    frame : pandas.DataFrame
        Columns named by ``label``, ``value``, ``low``, ``high`` and, if given, ``group``; rows
        of one label share a line of the figure, one dot for each group.
    title : str
        The message.
    value, low, high, label, group : str
        Names of the columns.
    baseline : str, collection of str or float, optional
        The group or groups (without groups: labels) to draw in grey, told apart by their
        markers; or a number for a grey line.
    xlabel : str
        What is measured, with its unit; by default the name of the value's column.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    UserError
        If a column is missing or there are no rows.
    """
    _need(frame, [label, value, low, high] + ([group] if group else []))
    labels = list(dict.fromkeys(frame[label].astype(str)))
    groups = list(dict.fromkeys(frame[group].astype(str))) if group else [""]
    with _axes(title, 0.26 * len(labels) * max(len(groups) ** 0.75, 1.25)) as (fig, axes):
        colours = iter(COLOURS * len(groups))
        grey = _names(baseline)
        for rank, name in enumerate(groups):
            part = frame[frame[group].astype(str) == name] if group else frame
            offset = (rank - (len(groups) - 1) / 2) * 0.62 / len(groups)
            places = [labels.index(str(x)) + offset for x in part[label]]
            colour = GREY if name in grey else next(colours)
            each = [GREY if str(x) in grey else colour for x in part[label]]
            _dots_of_group(axes, places, part[[value, low, high]], (name, MARKERS[rank % 5]), each)
        if isinstance(baseline, int | float):
            axes.axvline(baseline, color=GREY, linewidth=1.2, zorder=1)
        _name_rows(axes, labels, xlabel or value)
        if len(groups) > 1:
            fig.legend(*axes.get_legend_handles_labels(), loc="outside lower left", ncols=3)
    return fig


def curves(
    frame: pd.DataFrame,
    title: str,
    x: str,
    ys: Mapping[str, str],
    xlabel: str,
    ylabel: str,
    *,
    baseline: str | None = None,
) -> Figure:
    """Draw one line for each column, named at its end.

    Parameters
    ----------
    frame : pandas.DataFrame
        Missing values are left out column by column, so that a loss of each step and one of
        each evaluation can share the frame. Where ``NAME_low`` and ``NAME_high`` exist they are
        drawn as a band.
    title : str
        The message.
    x : str
        Column of the horizontal axis.
    ys : dict
        Column to the name to show.
    xlabel, ylabel : str
        The axes, with units.
    baseline : str, optional
        The column to draw in grey.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    UserError
        If a column is missing, there are no rows, or an axis has no label.
    """
    _need(frame, [x, *ys])
    if not (xlabel.strip() and ylabel.strip()):
        raise UserError(f"the figure '{title}' has an axis without label: name it with its unit.")
    with _axes(title, 2.6) as (fig, axes):
        colours = iter(COLOURS * len(ys))
        for column, name in ys.items():
            colour = GREY if column == baseline else next(colours)
            _line(axes, frame[[x, column]].dropna(), name, colour)
            ends = [f"{column}_low", f"{column}_high"]
            if set(ends) <= set(frame.columns):
                band = frame[[x, *ends]].dropna()
                axes.fill_between(band[x], band[ends[0]], band[ends[1]], color=colour, alpha=0.15)
        axes.set_xlabel(xlabel)
        axes.set_ylabel(ylabel)
        if len(ys) > 1:
            axes.legend(loc="best")
    return fig


def bars(
    frame: pd.DataFrame,
    title: str,
    label: str,
    value: str,
    xlabel: str,
    *,
    baseline: str | None = None,
) -> Figure:
    """Draw one horizontal bar for each row, in the frame's order, with its number at the end.

    Parameters
    ----------
    frame : pandas.DataFrame
        Columns ``label`` and ``value``; where ``VALUE_low`` and ``VALUE_high`` exist they are
        drawn as intervals.
    title : str
        The message.
    label, value : str
        Names of the columns.
    xlabel : str
        What is counted, with its unit.
    baseline : str, optional
        The label to draw in grey.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    UserError
        If a column is missing or there are no rows.
    """
    _need(frame, [label, value])
    names = [str(x) for x in frame[label]]
    lengths = [0.0 if missing(v) else float(v) for v in frame[value]]
    decimals = plain_decimals(lengths)
    with _axes(title, 0.3 * len(names)) as (fig, axes):
        colours = [GREY if name == baseline else COLOURS[0] for name in names]
        drawn = axes.barh(range(len(names)), lengths, color=colours, height=0.62)
        ends = [f"{value}_low", f"{value}_high"]
        if set(ends) <= set(frame.columns):
            axes.hlines(range(len(names)), frame[ends[0]], frame[ends[1]], color="#1d2127")
        else:
            texts = [number(v, decimals) for v in frame[value]]
            axes.bar_label(drawn, texts, padding=4, color="#3d444d")
            axes.margins(x=0.1)
        _name_rows(axes, names, xlabel)
        if all(length == round(length) for length in lengths):
            axes.locator_params(axis="x", integer=True)
    return fig


def stacks(frame: pd.DataFrame, title: str, label: str, xlabel: str) -> Figure:
    """Draw one horizontal bar for each row, made of the parts that the other columns give.

    Parameters
    ----------
    frame : pandas.DataFrame
        Column ``label`` and one column a part, at least one; missing values count as 0.
    title : str
        The message.
    label : str
        Name of the column that names the rows.
    xlabel : str
        What is counted, with its unit.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    UserError
        If the column is missing or there are no rows.
    """
    _need(frame, [label])
    parts = [c for c in frame.columns if c != label]
    names = [str(x) for x in frame[label]]
    with _axes(title, 0.34 * len(names) + 0.25) as (fig, axes):
        left = pd.Series(0.0, index=frame.index)
        for rank, part in enumerate(parts):
            width = frame[part].fillna(0.0).astype(float)
            colour = (*COLOURS, GREY)[rank % (len(COLOURS) + 1)]
            hatch = "" if rank <= len(COLOURS) else "//"
            axes.barh(
                range(len(names)),
                width,
                left=left,
                color=colour,
                hatch=hatch,
                label=part,
                height=0.62,
            )
            left = left + width
        _name_rows(axes, names, xlabel)
        if parts:
            fig.legend(*axes.get_legend_handles_labels(), loc="outside lower left", ncols=4)
    return fig


def scatter(
    frame: pd.DataFrame,
    title: str,
    x: str,
    y: str,
    label: str,
    xlabel: str,
    ylabel: str,
    *,
    baseline: Collection[str] = (),
) -> Figure:
    """Draw one named dot for each row, with its interval upwards and downwards.

    Parameters
    ----------
    frame : pandas.DataFrame
        Columns ``x``, ``y`` and ``label``; where ``low`` and ``high`` exist they are the interval
        of y. Rows without x or y are left out. The horizontal axis is logarithmic where all x are
        above 0 and span a factor of ten.
    title : str
        The message.
    x, y, label : str
        Names of the columns.
    xlabel, ylabel : str
        The axes, with units.
    baseline : collection of str
        Labels to draw in grey.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    UserError
        If a column is missing or no row has both values.
    """
    _need(frame, [x, y, label])
    known = frame.dropna(subset=[x, y])
    _need(known, [x, y, label])
    with _axes(title, 2.8) as (fig, axes):
        colours = iter(COLOURS * len(known))
        for rank, row in enumerate(known.to_dict("records")):
            name = str(row[label])
            colour = GREY if name in baseline else next(colours)
            ends = [row.get("low"), row.get("high")]
            if not any(missing(end) for end in ends):
                axes.plot(
                    [row[x]] * 2,
                    [float(e or 0) for e in ends],
                    color=colour,
                    linewidth=2,
                    solid_capstyle="butt",
                )
            axes.plot([row[x]], [row[y]], MARKERS[rank % 5], color=colour, markersize=7, label=name)
        least, most = float(known[x].min()), float(known[x].max())
        if least > 0 and most > 10 * least:
            axes.set_xscale("log")
        axes.set_xlabel(xlabel)
        axes.set_ylabel(ylabel)
        fig.legend(*axes.get_legend_handles_labels(), loc="outside lower left", ncols=3)
    return fig


def _names(baseline: str | float | Collection[str] | None) -> set[str]:
    if baseline is None or isinstance(baseline, int | float):
        return set()
    return {baseline} if isinstance(baseline, str) else set(baseline)


def _need(frame: pd.DataFrame, columns: list[str]) -> None:
    if absent := [c for c in columns if c not in frame.columns]:
        raise UserError(
            f"the figure needs the columns {', '.join(absent)}, the frame has "
            f"{', '.join(map(str, frame.columns))}: rename or add them."
        )
    if frame.empty:
        raise UserError("the figure's frame has no rows: check what comes before it.")


@contextmanager
def _axes(title: str, height: float) -> Iterator[tuple[Figure, Axes]]:
    """A figure of one text column's width, in our style until the end of the block."""
    import matplotlib
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    if not title.strip():
        raise UserError("the figure has no title: say its message.")
    with matplotlib.rc_context(STYLE):
        layout = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.1)
        fig = Figure(figsize=(WIDTH, min(max(height, 0.6) + 1.2, 14)), layout=layout)
        axes = fig.add_subplot()
        lines = textwrap.wrap(title.strip(), 78)
        fig.suptitle("\n".join(lines), x=0.12 / WIDTH, ha="left", fontsize=11, fontweight="bold")
        yield fig, axes


def _dots_of_group(
    axes: Axes, places: list[float], part: pd.DataFrame, group: tuple[str, str], colours: list[str]
) -> None:
    """Dots of one group, whose name and marker are given; its name goes to the legend once."""
    name, marker = group
    for y, row, colour in zip(places, part.itertuples(index=False), colours, strict=True):
        centre, low, high = row
        if missing(centre):
            axes.annotate("not defined", (0.01, y), xycoords=("axes fraction", "data"), va="center")
            continue
        if not (missing(low) or missing(high)):
            axes.plot([low, high], [y, y], color=colour, linewidth=2, solid_capstyle="butt")
        axes.plot([centre], [y], marker, color=colour, markersize=6.5, label=name)
        name = "_" + name.lstrip("_")


def _line(axes: Axes, part: pd.DataFrame, name: str, colour: str) -> None:
    # few points are marked, so that a reader sees that the line between them is drawn
    marker = "o" if len(part) <= 25 else None
    xs, ys = part.iloc[:, 0], part.iloc[:, 1]
    axes.plot(xs, ys, color=colour, linewidth=1.8, marker=marker, markersize=4.5, label=name)


def _name_rows(axes: Axes, labels: list[str], xlabel: str) -> None:
    axes.set_yticks(range(len(labels)), [textwrap.fill(x, 34) for x in labels])
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.grid(False, axis="y")
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(xlabel)
