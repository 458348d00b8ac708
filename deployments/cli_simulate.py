"""`wharfinger simulate`: worlds with faults, judged by the invariants. Exit code 1 when one is broken, or a cell of the coverage stays thin."""

from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table

from deployments.simulation.modes import Report, crash, fault, summary, swarm

LEAST_PER_CELL, WORLDS_FOR_COVERAGE = 30, 5_000  # a swarm of this size must have struck every cell so often
SHOWN_MAX = 20

out, told = Console(), Console(stderr=True, highlight=False)


def simulate(
    mode: Annotated[Literal["swarm", "crash", "fault"], typer.Option(help="swarm: random faults a seed; crash: killed at every point; fault: every call by every fault.")] = "swarm",
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds.")] = 100,
    first: Annotated[int, typer.Option(help="The first of them.")] = 1,
    workers: Annotated[int, typer.Option(min=1, help="Processes at once; the result is the same.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for a program.")] = False,
) -> None:
    """Play simulated worlds of orders, dispatches, crashes and faults on the real code, and check that nothing is lost and nothing happens twice.

    Example: wharfinger simulate --mode swarm --seeds 200 --first 1
    """
    run = {"swarm": swarm, "crash": crash, "fault": fault}[mode]
    report = run(range(first, first + seeds), told.print, workers)
    print(report.as_json()) if as_json else _show(report)
    thin = report.thin_cells(LEAST_PER_CELL) if mode == "swarm" and seeds >= WORLDS_FOR_COVERAGE else []
    for cell in thin:
        told.print(f"struck too seldom: {cell}")
    if report.violations or thin:
        raise typer.Exit(1)


def _show(report: Report) -> None:
    out.print("  ".join(f"{name} {value}" for name, value in summary(report).items()))
    effects = sorted({effect for row in report.matrix.values() for effect in row})
    table = Table(title="which fault struck what, and how often", title_justify="left")
    for name in ("fault", *effects):
        table.add_column(name, overflow="fold")
    for name in sorted(report.matrix, key=lambda fault_name: int(fault_name[1:])):
        table.add_row(name, *(str(report.matrix[name][effect] or "") for effect in effects))
    out.print(table)
    for violation in report.violations[:SHOWN_MAX]:
        out.print(f"[red]seed {violation.seed}: {violation.invariant}[/]: {violation.what}")
        out.print("  faults: " + (", ".join(f"{strike.fault} on {strike.what}" for strike in violation.faults) or "none"))
        for line in violation.story:
            out.print(f"    {line}", highlight=False)
