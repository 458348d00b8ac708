"""The audit as one page to hand over: everything in it, nothing fetched from anywhere, every value escaped."""

from datetime import datetime
from typing import Any

from jinja2 import Environment, StrictUndefined

from contracts.gaps import SEVERITIES
from tasks.rules.mapping_tables import FORMULA

ROWS_MAX = 2000  # of one severity; the JSON has all

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Audit {{ a.storefront }} to {{ a.warehouse }}</title>
<style>
 body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 76rem; padding: 0 1rem; color: #1b1f24; }
 h1 { font-size: 1.5rem; margin-bottom: .2rem } h2 { font-size: 1.15rem; margin-top: 2rem }
 table { border-collapse: collapse; width: 100% } th, td { text-align: left; vertical-align: top; padding: .35rem .6rem; border-bottom: 1px solid #d8dee4 }
 th { background: #f3f5f7; position: sticky; top: 0 } code { background: #f3f5f7; padding: .05rem .25rem; white-space: pre-wrap; overflow-wrap: anywhere }
 .verdict { display: inline-block; padding: .25rem .7rem; border-radius: .3rem; font-weight: 600; background: #fbe3e1; color: #82160c }
 .verdict.clean { background: #dcf3e2; color: #11552a } .small { color: #59636e; font-size: .9rem }
</style></head><body>
<h1>Audit of the route {{ a.storefront }} to {{ a.warehouse }}</h1>
<p class="small">Made {{ made_at }} UTC. Looked at: {% for what, count in a.looked_at.items() %}{{ what }} {{ count }}{{ ", " if not loop.last }}{% endfor %}.</p>
<p><span class="verdict {{ 'clean' if a.verdict == 'clean' }}">{{ a.verdict }}</span>
 {% for severity, count in a.counts.items() %} &nbsp; {{ severity }}: <b>{{ count }}</b>{% endfor %}</p>
{% if a.not_looked_at %}<h2>Could not be looked at</h2><ul>{% for one in a.not_looked_at %}<li><b>{{ one.what }}</b>: {{ one.why }}</li>{% endfor %}</ul>{% endif %}
{% if by_owner %}<h2>Whose</h2><table><tr><th>owner</th>{% for severity in severities %}<th>{{ severity }}</th>{% endfor %}</tr>
{% for owner, of_one in by_owner.items() %}<tr><td>{{ owner }}</td>{% for severity in severities %}<td>{{ of_one.get(severity, 0) }}</td>{% endfor %}</tr>{% endfor %}</table>{% endif %}
{% for severity in severities if a.counts[severity] %}
<h2>{{ severity | capitalize }} ({{ a.counts[severity] }})</h2>
<table><tr><th>owner</th><th>gap</th><th>what is wrong</th><th>what to do</th></tr>
{% for gap in gaps[severity] %}<tr id="{{ gap.id }}"><td>{{ gap.owner }}</td><td><code>{{ gap.kind }}</code><br>{{ gap.subject }}</td><td>{{ gap.says }}</td>
<td>{{ gap.remedy }}{% if gap.row %}<br><span class="small">{{ gap.table }}.csv</span><br><code>{{ gap.csv }}</code>{% endif %}</td></tr>
{% endfor %}</table>
{% if a.counts[severity] > gaps[severity] | length %}<p>The first {{ gaps[severity] | length }} are listed; <code>wharfinger audit --json</code> has all.</p>{% endif %}
{% endfor %}
<p class="small">Blank values in a proposed row are for a person to fill in. The same set-up gives the same list; ids do not change.</p>
</body></html>
"""


def audit_page(found: dict[str, Any], made_at: datetime) -> str:
    """The page. `found` is what `audit_route` gave."""
    by_owner: dict[str, dict[str, int]] = {}
    for gap in found["gaps"]:
        of_one = by_owner.setdefault(gap["owner"], {})
        of_one[gap["severity"]] = of_one.get(gap["severity"], 0) + 1
    gaps = {severity: [gap | {"csv": _csv(gap["row"])} for gap in found["gaps"] if gap["severity"] == severity][:ROWS_MAX] for severity in SEVERITIES}
    page = Environment(autoescape=True, undefined=StrictUndefined).from_string(_PAGE)
    return page.render(a=found, gaps=gaps, severities=SEVERITIES, by_owner=dict(sorted(by_owner.items())), made_at=f"{made_at:%Y-%m-%d %H:%M}")


def _csv(row: dict[str, str]) -> str:
    """The row to paste, under its header; shielded as a mapping export is, since it will be pasted into a spreadsheet."""
    return f"{','.join(row)}\n{','.join(map(_cell, row.values()))}" if row else ""


def _cell(value: str) -> str:
    value = f"'{value}" if value[:1] in tuple(FORMULA) else value
    return '"' + value.replace('"', '""') + '"' if any(mark in value for mark in ',"\n') else value
