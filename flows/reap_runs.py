"""Take up what runs left whose worker died."""

from typing import Annotated

from prefect import flow, get_run_logger
from pydantic import Field

from tasks.flow_runs import take_up_dead_runs


@flow(name="reap-runs", flow_run_name="runs that died")
def reap_runs(stray_after_seconds: Annotated[float, Field(ge=60)] = 120) -> str:
    """Find runs whose process is gone: what they had in flight will be read back, Prefect stops showing them as Running, and their slot is free.

    Safe to run at any time, and twice at once.

    Args:
        stray_after_seconds: A flow run that is Pending for longer than this, and has no process, is marked Crashed.
    """
    reaped = take_up_dead_runs(stray_after_seconds)
    get_run_logger().info(str(reaped))
    if reaped.away:
        raise reaped.away
    return str(reaped)
