"""A webhook's run, asked of a real Prefect server: once for a burst, for its own storefront only, and never by a process without a server."""

from datetime import timedelta

from prefect.client.schemas.objects import FlowRun
from prefect.states import Scheduled
from tests.flows.conftest import Site

from connectors.kit.clock import SystemClock
from tasks.flow_runs import HINTED, OURS, ask_for_runs
from tasks.hints import TAKES_IN, ask_for_run


def test_a_run_is_asked_for_once_until_it_has_begun(site: Site) -> None:
    house, client, now = site.house(), site.client, SystemClock().now()
    flow = client.create_flow_from_name(TAKES_IN)
    ids = {name: client.create_deployment(flow_id=flow, name=name, parameters={"storefront": name}, tags=tags, paused=paused)
           for name, tags, paused in (("shop-a", [OURS], False), ("shop-b", [OURS], False), ("shop-c", [OURS], True), ("shop-d", ["theirs"], False))}

    def runs(name: str) -> list[FlowRun]:
        return [run for run in client.read_flow_runs() if run.deployment_id == ids[name]]

    client.create_flow_run_from_deployment(ids["shop-a"], state=Scheduled(scheduled_time=now + timedelta(minutes=5)))  # the schedule's next one
    asked = [ask_for_run(house, name) for name in ("shop-a", "shop-a", "shop-c", "shop-d", "nobody")]
    assert [len(one) for one in asked] == [1, 0, 0, 0, 0]
    assert [(len(runs(name)), sum(HINTED in run.tags for run in runs(name))) for name in ids] == [(2, 1), (0, 0), (0, 0), (0, 0)]
    begun = next(run for run in runs("shop-a") if HINTED in run.tags)
    client.delete_flow_run(begun.id)
    assert len(ask_for_run(house, "shop-a")) == 1
    for deployment in ids.values():
        client.delete_deployment(deployment)
    house.close()


def test_every_deployed_flow_that_takes_orders_in_is_found_by_its_name_and_parameter() -> None:
    """The names in tasks/hints.py and in the deployments must not drift apart."""
    from deployments.serve import entries
    from flows.orders_to_warehouse import orders_to_warehouse

    assert orders_to_warehouse.name == TAKES_IN
    assert all("storefront" in entry["parameters"] for entry in entries() if entry["entrypoint"].endswith(".orders_to_warehouse"))
    assert callable(ask_for_runs)
