"""What is deployed: exactly this list, by these names, with forms that a person can fill in."""

import ast
import importlib
import os
import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect.deployments.runner import RunnerDeployment
from prefect.flows import load_flow_from_entrypoint
from tests.flows.conftest import ROOT, Site

from connectors.kit.errors import BadConfiguration, NotNow
from contracts.exceptions import REMEDIES
from contracts.mappings import TABLES
from deployments.prefect_server import prefect_server, server_settings
from deployments.serve import FILE, Route, deployments, entries, keep_paused
from tasks.flow_runs import OURS

LISTED = {
    ("orders-to-warehouse", "bigcommerce-uk → gxo-uk"): (300, "ENQUEUE"),
    ("dispatch-back", "gxo-uk → bigcommerce-uk"): (300, "ENQUEUE"),
    ("confirm-soon", "bigcommerce-uk"): (120, "CANCEL_NEW"),
    ("inventory-delta-sync", "gxo-uk → bigcommerce-uk"): (300, "ENQUEUE"),
    ("returns", "gxo-uk → bigcommerce-uk"): (900, "ENQUEUE"),
    ("authorise-return", "authorise a return"): (None, "ENQUEUE"),
    ("check-catalogue", "bigcommerce-uk"): (86400, "CANCEL_NEW"),
    ("keep-webhooks", "bigcommerce-uk"): (3600, "CANCEL_NEW"),
    ("drift-watch", "bigcommerce-uk → gxo-uk"): (900, "CANCEL_NEW"),
    ("route-audit", "bigcommerce-uk → gxo-uk"): (None, "CANCEL_NEW"),
    ("settlement-reconciliation", "bigcommerce-uk → gxo-uk"): ("30 2 * * *", "ENQUEUE"),
    ("change-mapping", "change a mapping table"): (None, "ENQUEUE"),
    ("announce-receipt", "announce stock to a warehouse"): (None, "ENQUEUE"),
    ("publish-analytics", "publish for analysts"): (900, "CANCEL_NEW"),
    ("retention", "personal data past its time"): (86400, "CANCEL_NEW"),
    ("resolve-exception", "resolve exceptions"): (None, "ENQUEUE"),
    ("show-timeline", "timeline of an order"): (None, None),
    ("export-evidence", "evidence about an order"): (None, None),
    ("refresh-desk", "desk"): (300, "CANCEL_NEW"),
    ("reap-runs", "runs that died"): (60, None),
}
PERSONAL = re.compile(r"name|street|address|phone|mail|postcode|zip|recipient|note", re.IGNORECASE)


def _when(made: Any) -> tuple[float | str, dict[str, Any], str | None]:
    """A schedule: its seconds or its cron line, what it changes of the parameters, and its name."""
    return getattr(made.schedule, "cron", None) or made.schedule.interval.total_seconds(), made.parameters or {}, made.slug


@pytest.fixture(scope="module")
def served() -> list[RunnerDeployment]:
    """What `python -m deployments.serve` serves."""
    return deployments()


@pytest.fixture(scope="module")
def forms(site: Site, served: list[RunnerDeployment]) -> dict[str, dict]:
    """Entrypoint -> the parameter schema as the server keeps it: what the form in the UI is made from."""
    schemas = {}
    for made in served:
        schemas[made.entrypoint.split(".")[1]] = site.client.read_deployment(made.apply()).parameter_openapi_schema
    return schemas


def test_the_deployments_are_exactly_this_list(served: list[RunnerDeployment]) -> None:
    def rhythm(made: RunnerDeployment) -> tuple[float | str | None, str | None]:
        return _when(made.schedules[0])[0] if made.schedules else None, made.concurrency_options.collision_strategy.value if made.concurrency_options else None

    assert {(made.flow_name, made.name): rhythm(made) for made in served} == LISTED
    assert all(made.concurrency_limit == 1 for made in served if made.concurrency_options)


def test_every_entrypoint_is_a_module_and_its_flow_is_named_after_it() -> None:
    for entry in entries():
        module, _, function = entry["entrypoint"].rpartition(".")
        assert ":" not in module and hasattr(importlib.import_module(module), function)
        assert load_flow_from_entrypoint(entry["entrypoint"]).name == function.replace("_", "-")


def test_every_deployment_says_what_it_does_and_has_our_tag(served: list[RunnerDeployment]) -> None:
    for made in served:
        assert len(made.description) > 40 and OURS in made.tags


def test_every_flow_of_a_schedule_names_its_runs(served: list[RunnerDeployment]) -> None:
    for made in served:
        assert load_flow_from_entrypoint(made.entrypoint).flow_run_name, made.name


def test_deployments_are_made_for_the_routes_of_the_profile() -> None:
    made = deployments([Route("bigcommerce-us", "gxo-us"), Route("bigcommerce-uk", "gxo-uk"), Route("bigcommerce-us", "gxo-us")])
    assert [one.name for one in made][:4] == ["bigcommerce-us → gxo-us", "bigcommerce-uk → gxo-uk", "gxo-us → bigcommerce-us", "gxo-uk → bigcommerce-uk"]
    assert made[0].parameters == {"storefront": "bigcommerce-us", "warehouse": "gxo-us"} == made[2].parameters
    assert len(made) == len(LISTED) + sum("route" in entry["tags"] for entry in entries())


def test_paused_schedules_are_all_off_and_otherwise_all_on(served: list[RunnerDeployment]) -> None:
    assert not any(schedule.active for made in deployments(paused_schedules=True) for schedule in made.schedules)
    assert all(schedule.active for made in served for schedule in made.schedules)


def test_a_route_that_cannot_be_read_is_refused_by_its_text() -> None:
    assert Route.read("bigcommerce-uk:gxo-uk") == Route("bigcommerce-uk", "gxo-uk")
    for text in ("bigcommerce-uk", ":gxo-uk", "bigcommerce-uk:"):
        with pytest.raises(BadConfiguration, match=re.escape(repr(text))):
            Route.read(text)


def test_a_key_that_serve_would_overlook_is_refused(tmp_path: Path) -> None:
    written = yaml.safe_load(FILE.read_text())
    written["deployments"][0]["concurency_limit"] = 1
    (tmp_path / "prefect.yaml").write_text(yaml.safe_dump(written))
    with pytest.raises(BadConfiguration, match="concurency_limit"):
        entries(tmp_path / "prefect.yaml")


@pytest.mark.prefect
def test_every_parameter_of_every_form_has_a_type_and_a_description(forms: dict[str, dict]) -> None:
    for flow, form in forms.items():
        for name, parameter in form["properties"].items():
            assert parameter.get("type") or parameter.get("enum") or parameter.get("$ref"), f"{flow}.{name} has no type"
            assert len(parameter.get("description", "")) > 10, f"{flow}.{name} has no description"


@pytest.mark.prefect
def test_the_forms_offer_a_choice_where_there_is_one_and_ask_for_what_is_needed(forms: dict[str, dict]) -> None:
    assert set(forms["change_mapping"]["properties"]["table"]["enum"]) == set(TABLES)
    assert set(forms["change_mapping"]["required"]) == {"table", "csv", "actor"}
    for flow in ("orders_to_warehouse", "dispatch_back"):
        assert set(forms[flow]["required"]) == {"storefront", "warehouse"}
    for flow in ("orders_to_warehouse", "change_mapping"):
        assert forms[flow]["properties"]["dry_run"] | {"type": "boolean", "default": False} == forms[flow]["properties"]["dry_run"]


@pytest.mark.prefect
def test_the_desk_s_form_offers_every_remedy_and_every_table(forms: dict[str, dict]) -> None:
    form = forms["resolve_exception"]
    assert form["properties"]["remedy"]["enum"] == list(REMEDIES)
    assert form["properties"]["mapping"]["enum"][1:] == list(TABLES)
    assert set(form["required"]) == {"exceptions", "remedy", "actor", "reason"}


@pytest.mark.prefect
def test_no_form_takes_a_parameter_that_the_flow_does_not_know(forms: dict[str, dict]) -> None:
    assert [form["additionalProperties"] for form in forms.values()] == [False] * len(LISTED)


@pytest.mark.prefect
def test_no_form_asks_for_personal_data(forms: dict[str, dict]) -> None:
    asked = [f"{flow}.{name}" for flow, form in forms.items() for name in form["properties"]]
    assert [name for name in asked if PERSONAL.search(name.partition(".")[2])] == []
    assert PERSONAL.search("street"), "the search finds nothing at all"


@pytest.mark.prefect
def test_a_deployment_that_a_person_paused_stays_paused_when_the_worker_starts_again(site: Site, forms: dict[str, dict]) -> None:
    """Prefect sets it going again: an operator had paused a route, the worker was killed, and its restart sent the orders."""
    name = "orders-to-warehouse/bigcommerce-uk → gxo-uk"
    site.client.pause_deployment(site.client.read_deployment_by_name(name).id)
    again = deployments()
    keep_paused(again)
    for made in again:
        made.apply()
    paused = [made.name for made in again if site.client.read_deployment_by_name(f"{made.flow_name}/{made.name}").paused]
    assert paused == ["bigcommerce-uk → gxo-uk"]
    site.client.resume_deployment(site.client.read_deployment_by_name(name).id)


@pytest.mark.prefect
def test_prefect_deploy_reads_the_same_list(site: Site, served: list[RunnerDeployment]) -> None:
    """The command that a site with workers in a pool uses; its own names for keys, so only a run of it tells."""
    environment = site.environment() | {"PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))}
    prefect = [sys.executable, "-m", "prefect", "--no-prompt"]
    pool = [*prefect, "work-pool", "create", "wharfinger", "--type", "process", "--overwrite"]
    subprocess.run(pool, env=environment, cwd=ROOT, check=True, capture_output=True)
    before = (ROOT / "deployments" / "prefect.yaml").read_bytes()
    done = subprocess.run([*prefect, "deploy", "--all", "--prefect-file", str(FILE)], env=environment, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert FILE.read_bytes() == before
    found = {(one.entrypoint, one.name): one for one in site.client.read_deployments() if OURS in one.tags and "test" not in one.tags}
    assert set(found) == {(made.entrypoint, made.name) for made in served}
    for made in served:
        one = found[made.entrypoint, made.name]
        assert (one.work_pool_name, one.entrypoint, one.parameters, one.pull_steps or []) == ("wharfinger", made.entrypoint, made.parameters, [])
        assert sorted(map(_when, one.schedules), key=str) == sorted(map(_when, made.schedules), key=str)
        limit = one.global_concurrency_limit.limit if one.global_concurrency_limit else None
        assert (limit, one.concurrency_options) == (made.concurrency_limit, made.concurrency_options)


@pytest.mark.prefect
def test_the_key_of_the_secret_blocks_is_in_a_file_of_its_own_and_not_in_the_database(site: Site) -> None:
    key = site.home / "server" / "encryption.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    kept = b"".join(path.read_bytes() for path in site.home.glob("prefect.db*"))
    assert len(kept) > 100_000 and key.read_bytes() not in kept and b"ENCRYPTION_KEY" not in kept
    assert key.read_text() not in str(site.server.environment()) and "ENCRYPTION" not in str(site.server.environment())


def test_the_server_tells_nobody_and_listens_to_this_machine_only(tmp_path: Path) -> None:
    (tmp_path / "server").mkdir()
    settings = server_settings(tmp_path, 4200)
    assert settings["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false" and settings["PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT"] == "false"
    assert settings["PREFECT_SERVER_API_HOST"] == "127.0.0.1" and settings["PREFECT_SERVER_CORS_ALLOWED_ORIGINS"] == "http://127.0.0.1:4200"


@pytest.mark.prefect
def test_a_server_that_cannot_start_says_why(site: Site, tmp_path: Path) -> None:
    with pytest.raises(NotNow, match="already in use"), prefect_server(tmp_path, site.server.port):
        pytest.fail("two servers on one port")


def test_no_file_under_flows_or_deployments_has_a_personal_word_in_a_flow_parameter() -> None:
    """The same for flows that are not deployed yet."""
    for path in [*(ROOT / "flows").glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and any("flow" in ast.unparse(one) for one in node.decorator_list):
                assert [one.arg for one in node.args.args if PERSONAL.search(one.arg)] == [], path.name
