"""Take up what runs left whose worker died."""

from prefect import flow, get_run_logger

from tasks.flow_runs import take_up_dead_runs


@flow(name="reap-runs", flow_run_name="runs that died")
def reap_runs(stray_after_seconds: float = 120.0) -> str:
    """Finds runs whose process is gone: what they had in flight will be read back, Prefect stops showing them as Running, and their slot is free.

    Safe to run at any time, and twice at once.

    Args:
        stray_after_seconds: A flow run that Prefect shows as Pending or Running for longer than this many seconds, and that no process
            works on, is marked Crashed. Keep it above the time that a flow run needs to start.
    """
    reaped = take_up_dead_runs(stray_after_seconds)
    get_run_logger().info(str(reaped))
    if reaped.away:
        raise reaped.away
    return str(reaped)
