"""The statement as a page: self-contained, for A4, every text escaped."""

from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from tasks.statement.figures import Statement, by_difference, by_verdict, money, movements, summary
from tasks.statement.marketplace import held_steps
from tasks.statement.plot import market_svg, svg

ROWS_MAX = 200  # of one difference; all of them are in the CSV and the workbook


def html_of(statement: Statement, csv_sha256: str, postings_sha256: str = "") -> str:
    """The page to print and sign. The fingerprints tie it to the rows that it sums up."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True)
    environment.globals["money"] = money
    environment.filters["day"] = lambda moment: f"{moment:%-d %B %Y}"
    environment.filters["moment"] = lambda moment: f"{moment:%Y-%m-%d %H:%M} UTC"
    template = environment.from_string(files("tasks.statement").joinpath("page.html").read_text(encoding="utf-8"))
    return template.render(**_figures(statement), csv_sha256=csv_sha256, postings_sha256=postings_sha256, picture=Markup(svg(statement.found)),
                           market_picture=Markup(market_svg(statement.marketplace)), rows_max=ROWS_MAX)  # noqa: S704 (our own drawing)


def _figures(statement: Statement) -> dict[str, Any]:
    return {"statement": statement, "period": statement.period, "summary": summary(statement.found), "totals": by_verdict(statement.found),
            "differences": by_difference(statement.found), "movements": movements(statement.found), "market": statement.marketplace, "held_steps": held_steps}
