"""`wharfinger simulate`: worlds with faults, judged by the invariants. Exit code 1 when one is broken, or a cell of the coverage stays thin."""

from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table

from connectors.kit.sandbox import FAULTS
from deployments.simulation import coverage, market_coverage
from deployments.simulation.modes import Report, crash, fault, summary, swarm
from deployments.simulation.market_oracle import invariants as market_invariants
from deployments.simulation.oracle import invariants

SHOWN_MAX = 20
WEIGHTS = "WHARFINGER_SIMULATION_WEIGHTS"
MODES = {"swarm": swarm, "crash": crash, "fault": fault}

out, told = Console(), Console(stderr=True, highlight=False)


def simulate(
    mode: Annotated[Literal["swarm", "crash", "fault"], typer.Option(help="swarm: random faults a seed; crash: killed at every point; fault: every call by every fault.")] = "swarm",
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds.")] = 100,
    first: Annotated[int, typer.Option(help="The first of them.")] = 1,
    workers: Annotated[int, typer.Option(min=1, help="Processes at once; the result is the same.")] = 1,
    weights: Annotated[str, typer.Option(envvar=WEIGHTS, help="Mode swarm: chances of faults at a call, for every world: F3=0.1,F14=0.02, or JSON; 0 switches one off. The others are drawn.")] = "",
    theme: Annotated[Literal["", "marketplace"], typer.Option(help="marketplace: only worlds whose storefront is an Amazon seller account; else one in ten is.")] = "",
    list_invariants: Annotated[bool, typer.Option("--invariants", help="Only list what is checked, and how.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for a program.")] = False,
) -> None:
    """Play simulated worlds of orders, dispatches, stock, returns, crashes and faults on the real code; check that nothing is lost or happens twice.

    Example: wharfinger simulate --mode swarm --seeds 200 --first 1
    """
    if list_invariants:
        for name, how in (invariants() | market_invariants()).items():
            out.print(f"{name}: {how}", highlight=False)
        return
    try:
        chosen = coverage.read_weights(weights)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    if chosen and mode != "swarm":
        told.print(f"weights are for mode swarm: in mode {mode} each world has one fault, and no other")
    report = MODES[mode](range(first, first + seeds), told.print, workers, chosen, theme)
    print(report.as_json()) if as_json else _show(report)
    for cell in report.thin():
        told.print(f"struck too seldom: {cell}; in so many worlds it should have been more often")
    if report.violations or report.thin():
        raise typer.Exit(1)


def _show(report: Report) -> None:
    out.print("  ".join(f"{name} {value}" for name, value in summary(report).items()))
    for effect, faults in (coverage.CELLS | market_coverage.CELLS).items():
        table = Table(title=effect, title_justify="left", box=None, padding=(0, 1))
        for name in faults:
            table.add_column(name, justify="right")
        table.add_row(*(str(report.matrix.get(name, {}).get(effect, 0)) for name in faults))
        out.print(table)
    out.print("faults: " + ", ".join(f"{name} {FAULTS.get(name, 'of processes, clocks and disks')}: {count}"
                                     for name, count in sorted(report.faults.items(), key=lambda pair: int(pair[0][1:]))))
    for violation in report.violations[:SHOWN_MAX]:
        out.print(f"[red]seed {violation.seed}: {violation.invariant}[/]: {violation.what}")
        out.print("  faults: " + (", ".join(f"{strike.fault} on {strike.what}" for strike in violation.faults) or "none"))
        for line in violation.story:
            out.print(f"    {line}", highlight=False)
