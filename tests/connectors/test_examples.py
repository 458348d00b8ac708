"""Every example of every system becomes exactly the rows that lie beside it.

`python -m tests.connectors.test_examples` writes what the mappings give now; then read the difference with your own eyes.
"""

import importlib
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from tests.connectors.conformance import CONNECTORS, systems

NEVER_EXAMPLES = ("README.md",)


def folders() -> list[Path]:
    """The examples of each system."""
    return [CONNECTORS / system / "examples" for system in systems()]


def goldens(example: Path) -> dict[str, str]:
    """File name -> text that this example must have beside it; none when the file is no example."""
    read = importlib.import_module(f"connectors.{example.parent.parent.name}.rehearsal").read_example(example)
    return dict(_golden(example.stem, name, value) for name, value in read.items())


def examples(folder: Path) -> list[Path]:
    """Every file with one dot in its name; what it becomes has two or more ('items.json' -> 'items.unreadable.csv')."""
    files = sorted(path for path in folder.glob("*") if path.name.count(".") == 1 and path.name not in NEVER_EXAMPLES)
    return [path for path in files if goldens(path)]


def faults(folder: Path) -> Iterator[str]:
    """What is wrong in a folder of examples, in words."""
    found = examples(folder)
    if len(found) < 2:
        yield f"{folder} has {len(found)} examples: two are the least"
    expected = {name: text for example in found for name, text in goldens(example).items()}
    for name, text in expected.items():
        golden = folder / name
        if not golden.exists():
            yield f"{name} is missing"
        elif golden.read_text() != text:
            yield f"{name} says otherwise than the mapping:\n{_difference(golden.read_text(), text)}"
    for path in sorted(folder.glob("*")):
        if path not in found and path.name not in expected and path.name not in NEVER_EXAMPLES:
            yield f"{path.name} belongs to no example"


def _golden(stem: str, name: str, value: pd.DataFrame | str) -> tuple[str, str]:
    if isinstance(value, str):
        return f"{stem}.{name}", value
    return f"{stem}.{name}.csv", value.to_csv(index=False, lineterminator="\n")


def _difference(golden: str, now: str) -> str:
    was, new = golden.splitlines(), now.splitlines()
    return "\n".join([f"- {line}" for line in was if line not in new][:5] + [f"+ {line}" for line in new if line not in was][:5])


@pytest.mark.parametrize("folder", folders(), ids=lambda folder: folder.parent.name)
def test_every_example_becomes_the_rows_beside_it(folder: Path) -> None:
    assert list(faults(folder)) == []


@pytest.mark.parametrize(("breaking", "words"), [
    (lambda folder: (folder / "items.items.csv").unlink(), "items.items.csv is missing"),
    (lambda folder: (folder / "items.items.csv").write_text("sku\nQS-9\n"), "items.items.csv says otherwise"),
    (lambda folder: (folder / "items.json").unlink(), "items.items.csv belongs to no example"),
    (lambda folder: (folder / "notes.txt").write_text("?"), "notes.txt belongs to no example"),
    (lambda folder: (folder / "items-2.json").write_text('{"items": []}'), "items-2.items.csv is missing"),
])
def test_the_walk_can_fail(tmp_path: Path, breaking, words: str) -> None:
    folder = tmp_path / "_template" / "examples"
    folder.mkdir(parents=True)
    for path in (CONNECTORS / "_template" / "examples").iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    assert list(faults(folder)) == []
    breaking(folder)
    assert any(fault.startswith(words) for fault in faults(folder))


def write() -> None:
    """Write every golden as the mappings make it now."""
    for folder in folders():
        for example in examples(folder):
            for name, text in goldens(example).items():
                if not (folder / name).exists() or (folder / name).read_text() != text:
                    (folder / name).write_text(text)
                    print(f"wrote {(folder / name).relative_to(CONNECTORS.parent)}")


if __name__ == "__main__":
    write()
