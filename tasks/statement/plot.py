"""The statement's picture, as SVG that is the same for the same figures: how the open balance came about, and what differs."""

import io
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from contracts.reconciliation import DIFFERENCES
from tasks.rules.reconciliation import Reconciliation
from tasks.statement.figures import STEPS, money, movements
from tasks.statement.marketplace import MarketplaceMonth, held_steps

INK, QUIET, UP, DOWN, SUM, WRONG = "#1f2933", "#9aa5b1", "#3a7d6b", "#b7791f", "#334e68", "#b23a48"
FIXED = {"svg.hashsalt": "wharfinger", "svg.fonttype": "none", "font.family": "sans-serif", "font.sans-serif": ["DejaVu Sans"], "font.size": 8}
SHORT = {"Goods sent, at what the customer was charged": "Goods sent", "Goods that came back, at what the customer was charged": "Goods back",
         "Kept by return rules, less postage given back": "Kept by rules", "Closed by a person's decision": "Decided"}
CURRENCIES_MAX = 4


def svg(found: Reconciliation) -> str:
    """An <svg> element; '' when there is nothing to draw."""
    drawn = movements(found)[:CURRENCIES_MAX]
    if not drawn:
        return ""
    with mpl.rc_context(FIXED):
        figure = Figure(figsize=(7.4, 2.5 * len(drawn)), layout="constrained")
        FigureCanvasSVG(figure)
        for bridge, differences, one in zip(*_axes(figure, len(drawn)), drawn, strict=True):
            _bridge(bridge, one)
            _differences(differences, found, one["currency"])
        return _text(figure)


def market_svg(market: MarketplaceMonth | None) -> str:
    """How what the marketplace holds came about; '' when there is nothing to draw."""
    months = market.months[:CURRENCIES_MAX] if market else []
    if not months:
        return ""
    with mpl.rc_context(FIXED):
        figure = Figure(figsize=(7.4, 0.9 + sum(0.22 * len(held_steps(month)) for month in months)), layout="constrained")
        FigureCanvasSVG(figure)
        for axes, month in zip(figure.subplots(len(months), 1, squeeze=False)[:, 0], months, strict=True):
            _bridge(axes, {"currency": month.currency, "steps": held_steps(month)}, f"What the marketplace holds of ours ({month.currency})")
        return _text(figure)


def _text(figure: Figure) -> str:
    written = io.StringIO()
    figure.savefig(written, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    return written.getvalue()[written.getvalue().index("<svg"):]


def _axes(figure: Figure, count: int) -> tuple[list[Axes], list[Axes]]:
    axes = figure.subplots(count, 2, squeeze=False, width_ratios=(3, 2))
    return [pair[0] for pair in axes], [pair[1] for pair in axes]


def _bridge(axes: Axes, one: dict[str, Any], title: str = "") -> None:
    """Each step begins where the one before it ended."""
    at, names = 0, []
    for place, step in enumerate(one["steps"]):
        begins = 0 if step["is_sum"] else at
        colour = SUM if step["is_sum"] else UP if step["minor"] >= 0 else DOWN
        axes.barh(place, step["minor"], left=begins, color=colour, height=0.62)
        at = begins + step["minor"]
        axes.annotate(money(step["minor"], one["currency"]), (max(begins, at), place), xytext=(3, 0), textcoords="offset points", va="center", color=INK, fontsize=7)
        names.append(SHORT.get(step["what"], step["what"]))
    axes.set_yticks(range(len(names)), names)
    axes.set_title(title or f"How the open balance came about ({one['currency']})", loc="left", fontsize=8.5, color=INK)
    _plain(axes)
    axes.margins(x=0.22)
    axes.axvline(0, color=QUIET, linewidth=0.7)
    axes.set_xticks([])


def _differences(axes: Axes, found: Reconciliation, currency: str) -> None:
    """What is not explained, and behind it what is."""
    sums = {name: [0, 0] for name in DIFFERENCES}
    for row in found.differences.to_dict("records"):
        if row["currency"] == currency:
            sums[row["name"]][bool(row["explained_by"])] += row["amount_minor"]
    shown = {name: parts for name, parts in sums.items() if any(parts)}
    for place, (wrong, explained) in enumerate(shown.values()):
        axes.barh(place, wrong, color=WRONG, height=0.62)
        axes.barh(place, explained, left=wrong, color=QUIET, height=0.62)
        axes.annotate(money(wrong + explained, currency), (wrong + explained, place), xytext=(3, 0), textcoords="offset points", va="center", color=INK, fontsize=7)
    axes.set_yticks(range(len(shown)), [name.replace("_", " ") for name in shown])
    axes.set_title(f"Differences ({currency})" if shown else f"No differences ({currency})", loc="left", fontsize=8.5, color=INK)
    _plain(axes)
    axes.set_ylim(max(len(shown), len(STEPS)) - 0.5, -0.5)
    axes.margins(x=0.25)
    axes.set_xticks([])


def _plain(axes: Axes) -> None:
    axes.invert_yaxis()
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, colors=INK)
