"""Every gap of a route is named before the first order goes over it."""

from typing import Annotated, Any

from prefect import flow
from pydantic import Field

from tasks.audit import audit_route_of
from tasks.report import report


@flow(name="route-audit", flow_run_name="audit {storefront} → {warehouse}")
def route_audit(
    storefront: Annotated[str, Field(description="The storefront connection of the route")],
    warehouse: Annotated[str, Field(description="The warehouse connection of the route")],
) -> dict[str, Any]:
    """Compare both sides' own lists with the mappings: what would block go-live, hold orders, or is worth knowing. Reads only; works before any order.

    `wharfinger audit` gives the same as a page to hand over.
    """
    found = audit_route_of(storefront, warehouse)
    rows = [{name: gap[name] for name in ("severity", "owner", "kind", "subject", "says", "remedy")}
            | {"row to add": f"{gap['table']}: {','.join(gap['row'].values())}" if gap["row"] else "", "id": gap["id"]} for gap in found["gaps"]]
    report(f"audit {storefront} {warehouse}", rows, f"{found['verdict']}: {', '.join(f'{count} {severity}' for severity, count in found['counts'].items())}. "
           + " ".join(f"Not looked at: {one['what']} ({one['why']})." for one in found["not_looked_at"]))
    return {name: found[name] for name in ("verdict", "counts", "looked_at", "not_looked_at")}
