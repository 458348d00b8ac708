"""The evidence as files that can be handed over: a page, a CSV a table, and a manifest of their fingerprints; one zip, or a folder."""

import io
import json
import os
import re
import zipfile
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from connectors.ledger.records import sha256
from contracts.spreadsheet import csv_text
from tasks.evidence.gather import TABLES, Evidence

PAGE, MANIFEST = "evidence.html", "manifest.json"
ZIP_MOMENT = (2000, 1, 1, 0, 0, 0)  # the same evidence, the same bytes


def contents(evidence: Evidence) -> dict[str, bytes]:
    """File name -> bytes. The manifest names every other file's SHA-256."""
    made = {f"{name}.csv": csv_text(rows[0], (row.values() for row in rows)).encode() for name, rows in evidence.tables.items() if rows}
    made[PAGE] = page(evidence).encode()
    manifest = {"order": evidence.order_id, "storefront": evidence.storefront, "made_at": evidence.made_at.isoformat(), "made_by": evidence.made_by,
                "findings": evidence.findings, "files": {name: sha256(body) for name, body in sorted(made.items())}}
    return made | {MANIFEST: (json.dumps(manifest, indent=2) + "\n").encode()}


def page(evidence: Evidence) -> str:
    """One page to read and print: self-contained, every value escaped."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(files("tasks.evidence").joinpath("page.html").read_text(encoding="utf-8"))
    return template.render(evidence=evidence, titles=TABLES)


def zipped(evidence: Evidence) -> bytes:
    """All of it in one archive."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in sorted(contents(evidence).items()):
            archive.writestr(zipfile.ZipInfo(f"{stem(evidence)}/{name}", ZIP_MOMENT), body)
    return written.getvalue()


def keep(folder: Path, evidence: Evidence) -> Path:
    """Write the zip into this folder, whole or not at all. Its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{stem(evidence)}.zip"
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_bytes(zipped(evidence))
    os.replace(beside, path)
    return path


def stem(evidence: Evidence) -> str:
    """What the files are called: an order id is the storefront's text, and no path."""
    return "evidence-" + re.sub(r"[^A-Za-z0-9._-]", "_", f"{evidence.storefront}-{evidence.order_id}")[:120]


def told(evidence: Evidence) -> dict[str, Any]:
    """The same for a program."""
    return {"order": evidence.order_id, "storefront": evidence.storefront, "made_at": evidence.made_at.isoformat(), "findings": evidence.findings, **evidence.tables}
