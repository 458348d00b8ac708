"""Write the evidence about one order, for the form and the command line."""

from pathlib import Path
from typing import Any

from prefect import task
from prefect.artifacts import create_markdown_artifact

from connectors.house import House
from tasks.evidence.files import keep
from tasks.evidence.gather import TABLES, Evidence, gather
from tasks.opened import RETRY, house
from tasks.report import artifact_key
from tasks.sheets import plain

FOLDER = "evidence"


def export(opened: House, storefront: str, order_id: str, actor: str, folder: Path | None = None) -> tuple[Evidence, Path]:
    """The evidence and the zip's path: in this folder, or under the house's home. Raises BadConfiguration."""
    evidence = gather(opened, storefront, order_id, actor)
    return evidence, keep(folder or opened.profile.home / FOLDER, evidence)


def summary_text(evidence: Evidence, path: Path) -> str:
    """For the artifact: how much there is of each, and what is missing."""
    rows = [f"| {title} | {len(evidence.tables[name])} |" for name, title in TABLES.items()]
    gaps = [f"- **{plain(finding)}**" for finding in evidence.findings] or ["Nothing is missing from the chain."]
    return "\n".join([f"# Evidence about order {plain(evidence.order_id)} of {plain(evidence.storefront)}", f"Written to `{path}`.", "", *gaps, "",
                      "| what | rows |", "|---|---|", *rows])


@task(name="export evidence", task_run_name="evidence about order {order} of {storefront}", **RETRY)
def export_of(storefront: str, order: str, actor: str) -> dict[str, Any]:
    """The zip, and an artifact that says what is in it."""
    evidence, path = export(house(), storefront, order, actor)
    create_markdown_artifact(summary_text(evidence, path), key=artifact_key(f"evidence {storefront} {order}"[:200]), description="Evidence for a claim.")
    return {"path": str(path), "findings": evidence.findings, "rows": {name: len(rows) for name, rows in evidence.tables.items()}}
