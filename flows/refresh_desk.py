"""What is on whose desk, as it stands now; and each desk is told what is new and what is nearly due."""

from typing import Any

from prefect import flow

from tasks.alerts import tell_desks_now
from tasks.board import refresh_desk_now


@flow(name="refresh-desk", flow_run_name="the desk")
def refresh_desk() -> dict[str, Any]:
    """Refresh the list of every owner role, the overview and the timelines on them; send at most one alert a desk."""
    refreshed = refresh_desk_now()
    return {"alerts": tell_desks_now(), "desk": refreshed}
