"""The migrated database is the one that the code believes in, however and how often it is made."""

import importlib.util
import itertools
import threading

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from connectors.kit.errors import BadConfiguration
from connectors.ledger.database import MIGRATIONS, Database
from connectors.ledger.tables import EDGES, STATES, effect, metadata
from tests.ledger.rigs import KIND, TARGET, Rig, in_processes


def _tables(url: str) -> set[str]:
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        found = set(sa.inspect(connection).get_table_names())
    engine.dispose()
    return found


def _migrate(_: int, url: str) -> set[str]:
    database = Database(url)
    database.migrate()
    database.close()
    return _tables(url)


def test_the_migrated_database_equals_the_tables(new_url: str) -> None:
    database = Database(new_url)
    database.migrate()
    with database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata) == []
    database.close()


def test_a_table_that_differs_is_found_out(new_url: str) -> None:
    database = Database(new_url)
    database.migrate()
    with database.transaction() as tx:
        tx.execute(sa.text("ALTER TABLE watermark ADD COLUMN stray INTEGER"))
    with database.engine.connect() as connection:
        assert "stray" in repr(compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata))
    database.close()


def test_migrating_twice_changes_nothing_and_keeps_the_rows(shared: Rig) -> None:
    effect_id = shared.plan("1")
    before = shared.everything()
    shared.ledger.database.migrate()
    shared.ledger.database.migrate()
    assert shared.everything() == before and shared.state(effect_id) == "PLANNED"


def test_several_processes_migrate_one_new_database_at_once(new_url: str) -> None:
    assert in_processes(4, _migrate, new_url) == [set(metadata.tables) | {"alembic_version"}] * 4


def test_several_threads_migrate_databases_at_once(tmp_path) -> None:
    """alembic works through module globals: two migrations at once in one process tore each other's context away."""
    urls, failed = [f"sqlite:///{tmp_path / f'{n}.db'}" for n in range(4)], []

    def migrate(url: str) -> None:
        try:
            _migrate(0, url)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=migrate, args=(url,)) for url in urls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed and all(_tables(url) >= set(metadata.tables) for url in urls)


def test_a_folder_with_a_percent_sign_in_its_name_is_no_obstacle(tmp_path) -> None:
    (tmp_path / "100%").mkdir()
    assert _migrate(0, f"sqlite:///{tmp_path / '100%' / 'l.db'}") >= set(metadata.tables)


def test_a_ledger_of_a_newer_version_is_refused_and_left_alone(shared: Rig) -> None:
    shared.run("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(BadConfiguration, match="newer version"):
        shared.another()
    newest = max(file.name for file in (MIGRATIONS / "versions").glob("0*.py"))[:4]
    shared.run(f"UPDATE alembic_version SET version_num = '{newest}'")
    shared.another().close()


def test_the_migration_and_the_code_list_the_same_edges() -> None:
    file = next((MIGRATIONS / "versions").glob("0001*.py"))
    spec = importlib.util.spec_from_file_location("first", file)
    first = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(first)
    assert {tuple(edge.split(">")) for edge in first.EDGES} == EDGES and len(first.EDGES) == len(EDGES)


def _put(tx: sa.Connection, rig: Rig, state: str, fence: int = 5) -> None:
    now = rig.clock.now()
    tx.execute(sa.insert(effect).values(
        effect_id="e", kind=KIND, target=TARGET, business_key="e", ordering_key="e", connection="c", record="r", payload={}, payload_hash="", state=state,
        fence=fence, planned_at=now, not_before=now))


@pytest.mark.parametrize("first", STATES)
def test_the_database_itself_allows_exactly_the_edges(rig: Rig, first: str) -> None:
    allowed = set()
    for second in STATES:
        with rig.ledger.transaction() as tx:
            point = tx.begin_nested()
            _put(tx, rig, first)
            try:
                with tx.begin_nested():
                    tx.execute(sa.update(effect).values(state=second))
                allowed.add((first, second))
            except sa.exc.IntegrityError:
                pass
            point.rollback()
    assert allowed == {edge for edge in EDGES if edge[0] == first} | {(first, first)}


def test_all_49_pairs_are_tried() -> None:
    assert len(list(itertools.product(STATES, STATES))) == 49 and len(EDGES) == 14


def test_a_state_that_does_not_exist_is_refused(rig: Rig) -> None:
    with pytest.raises(sa.exc.IntegrityError), rig.ledger.transaction() as tx:
        _put(tx, rig, "SENT")


def test_a_fence_never_goes_back(rig: Rig) -> None:
    with rig.ledger.transaction() as tx:
        _put(tx, rig, "PLANNED")
    for statement in ("UPDATE effect SET fence = 4", "UPDATE effect SET fence = 4, state = 'IN_FLIGHT'"):
        with pytest.raises(sa.exc.IntegrityError):
            rig.run(statement)
    assert rig.row("e").fence == 5
    rig.run("UPDATE effect SET fence = 6")
    assert rig.row("e").fence == 6
