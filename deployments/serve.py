"""Serve every deployment of prefect.yaml from one process: polls Prefect, starts a process for each flow run.

    python -m deployments.serve [--route STOREFRONT:WAREHOUSE …] [--paused-schedules] [--limit 4] [--poll-seconds 5] [--sole-worker] [--file FILE]
"""

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple, get_type_hints

import yaml
from prefect import Flow, get_client, serve
from prefect.client.schemas.objects import ConcurrencyLimitConfig
from prefect.deployments.runner import RunnerDeployment
from prefect.flows import load_flow_from_entrypoint
from prefect.schedules import Cron, Interval, Schedule
from prefect.utilities.callables import ParameterSchema, parameter_schema

from connectors.kit.errors import BadConfiguration, WharfingerError
from deployments.automations import set_up
from tasks.flow_runs import STRAY_AFTER_SECONDS, reap_all
from tasks.opened import house
from tasks.runs import BETWEEN

FILE = Path(__file__).with_name("prefect.yaml")
ROUTE = "route"  # the tag of a deployment that stands for one pair of connections
LIMIT = 4
POLL_SECONDS = 5
KEYS = {"name", "entrypoint", "description", "tags", "parameters", "schedules", "concurrency_limit", "work_pool"}


class Route(NamedTuple):
    """Orders go from this storefront connection to this warehouse connection; dispatches come back."""

    storefront: str
    warehouse: str

    @classmethod
    def read(cls, text: str) -> "Route":
        """From 'storefront:warehouse'. Raises BadConfiguration."""
        storefront, colon, warehouse = text.partition(":")
        if not (storefront and colon and warehouse):
            raise BadConfiguration(f"reading the route {text!r}", "it is not STOREFRONT:WAREHOUSE", "Give two connections of the profile.")
        return cls(storefront, warehouse)


def deployments(profile_routes: Iterable[Route] = (), paused_schedules: bool = False, file: Path = FILE) -> list[RunnerDeployment]:
    """The list of prefect.yaml, with the route deployments made for each of these routes; without routes, exactly as the file says.

    paused_schedules: nothing runs by itself (the demo starts each run when its trading day is ready). Raises BadConfiguration.
    """
    written = entries(file)
    routes = list(dict.fromkeys(profile_routes))
    if routes:
        fixed = [entry for entry in written if ROUTE not in entry["tags"]]
        written = [*_for_routes(written, routes), *fixed]
    return [_deployment(entry, paused_schedules) for entry in written]


def entries(file: Path = FILE) -> list[dict[str, Any]]:
    """The deployments as they are written. Raises BadConfiguration for a key that `serve` would overlook."""
    written = yaml.safe_load(file.read_text())["deployments"]
    for entry in written:
        unknown = sorted(set(entry) - KEYS)
        if unknown:
            got = f"the deployment {entry.get('name')!r} has unknown keys: {', '.join(unknown)}"
            raise BadConfiguration(f"reading {file.name}", got, "Correct them.")
    return written


def main(arguments: list[str] | None = None) -> None:
    """Reap what an earlier worker left, then serve until stopped."""
    options = _options().parse_args(arguments)
    served = deployments(map(Route.read, options.route), options.paused_schedules, options.file)
    keep_paused(served)
    print(reap_all(house(), 0.0 if options.sole_worker else STRAY_AFTER_SECONDS), flush=True)
    print("\n".join(_alerts()), flush=True)
    # pause_on_shutdown would leave every schedule off after a restart
    serve(*served, limit=options.limit, query_seconds=options.poll_seconds, pause_on_shutdown=False, print_starting_message=False)


def _alerts() -> list[str]:
    """A worker without alerts is better than none."""
    try:
        return set_up(house().profile.alerts.notify)
    except WharfingerError as error:
        return [str(error)]


def keep_paused(served: Iterable[RunnerDeployment]) -> None:
    """A deployment that a person has paused stays paused: registering it again would set it going, and a worker may restart at any time."""
    with get_client(sync_client=True) as client:
        paused = {(client.read_flow(there.flow_id).name, there.name) for there in client.read_deployments() if there.paused}
    for made in served:
        if (made.flow_name, made.name) in paused:
            made.paused = True


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deployments.serve", description="Serve every deployment of prefect.yaml from one process.")
    parser.add_argument("--route", action="append", default=[], metavar="STOREFRONT:WAREHOUSE", help="instead of the file's routes; may be repeated")
    parser.add_argument("--paused-schedules", action="store_true", help="register the schedules, but let nothing run by itself")
    parser.add_argument("--limit", type=int, default=LIMIT, help="flow runs at once (default: %(default)s)")
    parser.add_argument("--poll-seconds", type=int, default=POLL_SECONDS, help="how often to ask Prefect for work (default: %(default)s)")
    parser.add_argument("--sole-worker", action="store_true", help="no other worker serves these: open flow runs without a process are dead")
    parser.add_argument("--file", type=Path, default=FILE, help="another list than deployments/prefect.yaml")
    return parser


def _for_routes(written: list[dict[str, Any]], routes: list[Route]) -> list[dict[str, Any]]:
    """One copy for each route of each deployment that has the route tag, named after its connections in their order."""
    copies = {}
    for entry in written:
        for route in routes if ROUTE in entry["tags"] else ():
            parameters = entry["parameters"] | {side: name for side, name in route._asdict().items() if side in entry["parameters"]}
            between = [value for key, value in parameters.items() if key in Route._fields]
            copies[entry["entrypoint"], BETWEEN.join(between)] = entry | {"name": BETWEEN.join(between), "parameters": parameters}
    return list(copies.values())


def _deployment(entry: dict[str, Any], paused: bool) -> RunnerDeployment:
    limit = entry.get("concurrency_limit")
    made = RunnerDeployment.from_entrypoint(
        entry["entrypoint"], name=entry["name"], description=entry["description"], tags=entry["tags"], parameters=entry.get("parameters", {}),
        schedules=[_schedule(written, paused) for written in entry.get("schedules", [])],
        concurrency_limit=ConcurrencyLimitConfig(**limit) if limit else None,
    )
    made._parameter_openapi_schema = _form(load_flow_from_entrypoint(entry["entrypoint"]))
    return made


class _Form(ParameterSchema):
    """A flow's parameters as a form that takes no others: Prefect would accept them, and the run would end Crashed without saying why."""

    additionalProperties: bool = False  # JSON schema's own spelling


def _form(flow: Flow[..., Any]) -> _Form:
    """Prefect 3.8 keeps only the descriptions of an 'Args:' section; those of `Annotated[…, Field(description=…)]` are put back here."""
    form = _Form(**parameter_schema(flow).model_dump(), additionalProperties=False)
    for name, hint in get_type_hints(flow.fn, include_extras=True).items():
        said = [extra.description for extra in getattr(hint, "__metadata__", ()) if getattr(extra, "description", None)]
        if said and name in form.properties:
            form.properties[name].setdefault("description", said[0])
    return form


def _schedule(written: dict[str, Any], paused: bool) -> Schedule:
    more = {"active": not paused, "slug": written.get("slug"), "parameters": written.get("parameters", {})}
    if "cron" in written:
        return Cron(written["cron"], timezone=written.get("timezone", "UTC"), **more)
    return Interval(written["interval"], **more)


if __name__ == "__main__":
    main()
