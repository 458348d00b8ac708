"""A few mutants and beginnings for every door, each finding of the long form again, bombs; and no parser without a door. `make fuzz` is the long form."""

import ast
import fnmatch
import gzip
import io
import random
import resource
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.kit.errors import WharfingerError
from tests.fuzz.campaign import fuzz, made
from tests.fuzz.door import Door
from tests.fuzz.doors import NOT_DOORS, all_doors
from tests.fuzz.findings import FINDINGS
from tests.fuzz.mutants import FORMS, mutant

ROOT = Path(__file__).resolve().parents[2]
SEED, MUTANTS, SECONDS = 7, 120, 0.2
TOPS = ("connectors", "contracts", "tasks", "deployments")
NOT_OURS_TO_READ = ("sandbox", "rehearsal", "simulation", "migrations")
TEXTS = ("text", "csv", "sql", "rows", "raw", "waits_on")


@pytest.mark.parametrize("name", list(all_doors()))
def test_a_door_refuses_in_the_house_s_own_words_and_lets_nothing_in_by_half(name):
    door = all_doors()[name]
    tally = fuzz(door, SEED, MUTANTS // door.cost + 1, seconds=SECONDS, every_beginning=max(1, sum(map(len, door.whole)) * door.cost // 100))
    assert tally.findings == [], "\n".join(map(str, tally.findings))
    assert tally.mutants >= 1 and tally.beginnings >= 1


@pytest.mark.parametrize("incident", list(FINDINGS))
def test_what_was_found_once_stays_mended(incident):
    name, body = FINDINGS[incident]
    wrong, came = all_doors()[name].try_out(body)
    assert wrong == "" and (body or isinstance(came, WharfingerError))


def test_a_sample_is_let_in_as_it_is():
    """Else its mutants would only ever knock."""
    shut = [name for name, door in all_doors().items() if all(isinstance(door.try_out(sample)[1], BaseException) for sample in door.whole)]
    assert shut == []


def test_a_mutant_has_a_seed_and_a_number_and_is_the_same_again():
    door = all_doors()["gxo advice-two-packages.edi"]
    assert [made(door, 3, n) for n in range(50)] == [made(door, 3, n) for n in range(50)] != [made(door, 4, n) for n in range(50)]


@pytest.mark.parametrize("form", list(FORMS))
def test_most_mutants_differ_from_their_sample(form):
    sample = next(door for door in all_doors().values() if door.form == form).whole[0] if form != "tsv" else b"a\tb\n1\t2\n"
    dice = random.Random(1)
    assert sum(mutant(dice, sample, form, [sample]) != sample for _ in range(100)) > 60


def test_a_door_that_leaks_is_found():
    """The judge itself: an error of another kind, a beginning let in, rows that the whole does not have, too long."""
    leaky = Door("leaky", lambda body: int(body), lambda: [b"12\n"], "words")
    assert "ValueError" in leaky.try_out(b"x")[0]
    open_ended = Door("open", lambda body: body, lambda: [b"ab"], "words", is_ended=True)
    assert open_ended.try_beginning(b"ab", 1)
    other_rows = Door("cut", lambda body: body.split(b","), lambda: [b"10,20"], "words", parts=lambda rows: rows)
    assert other_rows.try_beginning(b"10,20", 4) and not other_rows.try_beginning(b"10,20", 2)
    slow = Door("slow", lambda body: sum(range(10**6)), lambda: [b""], "words", seconds_max=0.0001)
    assert "took" in slow.try_out(b"")[0]


def _zip(parts: int, megabytes: int) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for part in range(parts):
            archive.writestr(f"part{part}.txt", b"0" * (megabytes << 20))
    return packed.getvalue()


BOMBS = {"a gzip of a hundred megabytes in a hundred kilobytes": ("packed settlement file", lambda: gzip.compress(b"0" * (100 << 20))),
         "the same behind a link": ("packed document", lambda: gzip.compress(b"0" * (100 << 20))),
         "a zip of many": ("packed settlement file", lambda: _zip(5, 20)),
         "more X12 than is read": ("gxo stock-levels.edi", lambda: b"ISA" + b"0" * 21_000_000),
         "segments without end": ("x12 envelope", lambda: all_doors()["x12 envelope"].whole[0].replace(b"~", b"~N9*A*B~" * 20_000, 3)),
         "rows without end": ("gxo advice.csv", lambda: all_doors()["gxo advice.csv"].whole[0] + b"a,b\n" * 250_000),
         "brackets without end": ("json", lambda: b"[" * 1_000_000),
         "a number without end": ("json", lambda: b"[" + b"9" * 2_000_000 + b"]"),
         "one field without end": ("lines of a return", lambda: b'sku,quantity\n"' + b"x" * 1_000_000)}


@pytest.mark.parametrize("what", list(BOMBS))
def test_what_is_beyond_all_bounds_is_refused_within_them(what):
    """Two seconds of this process's time, and 200 MB more than it ever had."""
    name, make = BOMBS[what]
    body, before = make(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    wrong, came = all_doors()[name].try_out(body)
    assert wrong == "" and (isinstance(came, BaseException) or came[1]), wrong
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 * 1024


# every parser has a door

def parsers() -> Iterator[str]:
    """'module:name' of each public function of the product that is given bytes, or a text to read."""
    for top in TOPS:
        for path in sorted((ROOT / top).rglob("*.py")):
            relative = path.relative_to(ROOT)
            if not any(word in str(relative) for word in NOT_OURS_TO_READ):
                yield from (f"{'.'.join(relative.with_suffix('').parts)}:{name}" for name in _reading(ast.parse(path.read_text()), ""))


def _reading(tree: ast.AST, within: str) -> Iterator[str]:
    for node in getattr(tree, "body", []):
        if isinstance(node, ast.ClassDef):
            yield from _reading(node, f"{within}{node.name}.")
        elif isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            for one in (*node.args.args, *node.args.kwonlyargs):
                kind = ast.unparse(one.annotation) if one.annotation else ""
                if kind in ("bytes", "bytes | None") or kind == "str" and one.arg in TEXTS:
                    yield f"{within}{node.name}"
                    break


def test_every_parser_has_a_door():
    """A new one goes into tests/fuzz/doors.py: a line in DOORS, or, if it reads nothing from outside, a line in NOT_DOORS with the reason."""
    covered = [pattern for door in all_doors().values() for pattern in door.covers]
    lacking = [name for name in parsers() if not any(fnmatch.fnmatch(name, pattern) for pattern in (*covered, *NOT_DOORS))]
    assert lacking == []


def test_no_line_of_the_table_is_left_over():
    found = list(parsers())
    idle = [pattern for pattern in NOT_DOORS if not any(fnmatch.fnmatch(name, pattern) for name in found)]
    assert idle == []


def test_the_walk_sees_a_parser():
    found = list(_reading(ast.parse("def read(body: bytes) -> int: ...\nclass A:\n    def take(self, csv: str) -> None: ...\n    def _in(self, body: bytes): ..."), ""))
    assert found == ["read", "A.take"]
