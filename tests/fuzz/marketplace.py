"""The doors of a marketplace that sends statements and reports as files."""

import gzip
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow.compute as pc

from connectors.amazon.returns_report import read_returns
from connectors.amazon.settlements.dates import read_moment
from connectors.amazon.settlements.form import unpacked
from connectors.amazon.settlements.frames import rows_frame, settlements_frame
from connectors.amazon.settlements.numbers import read_number
from connectors.amazon.settlements.reading import FileRead, read_file
from connectors.kit import links
from connectors.kit.errors import BadDocument
from contracts.base import WHY
from contracts.settlements import FINES, SettlementRows, Settlements
from tests.connectors.conformance import CONNECTORS
from tests.settlement_files.written import REGIONS, month, packed, written


def settlement(body: bytes) -> FileRead:
    """A settlement file that is said to be whole and right; whatever is told of it, is told."""
    found = read_file("a-file", body)
    wrong = [one for one in found.findings if one["fails"]]
    if wrong:
        raise BadDocument("reading a-file", wrong[0]["detail"])
    return found


def settlements(region: str) -> Callable[[], list[bytes]]:
    """A short month in a region's hand."""
    return lambda: [written(month(orders=2), pen=REGIONS[region])]


def settlement_sums(found: FileRead) -> Iterator[str]:
    """Nothing was told: then each settlement has its deposit, to the millionth, in rows that hold their contract."""
    rows, heads = rows_frame([found.rows]), settlements_frame([found])
    for contract, frame in ((SettlementRows, rows), (Settlements, heads)):
        unsound = contract.split(frame)[1]
        if len(unsound):
            yield f"{contract.__name__}: {unsound[WHY].iloc[0]}"
    for head in found.heads:
        mask = pc.equal(found.rows.column("settlement_id").cast("string"), head.settlement_id)
        mine = found.rows.filter(mask)
        total = sum((minor or 0) * FINES + (fine or 0) for minor, fine in zip(mine.column("amount_minor").to_pylist(), mine.column("amount_fine").to_pylist(), strict=True))
        if head.deposit != total:
            yield f"settlement {head.settlement_id}: {total} of {head.deposit}, and nobody is told"


def numbers_and_dates(body: bytes) -> Any:
    """A cell of such a file, read both ways."""
    text = body.decode("utf-8", "replace")
    return read_number(text), read_moment(text), read_moment(text, "dmy")


def cells() -> list[bytes]:
    """Numbers and dates of the regions."""
    return ["1.234,56".encode(), b"(1,234.56)", "1\u00a0234,5".encode(), b"2024-03-01T22:07:18+00:00", b"01.03.2024 22:07:18 UTC", b"Mar 1, 2024 10:07:18 PM PST"]


def archives(body: bytes) -> list[tuple[str, bytes]]:
    """A file as it lies on a disk, perhaps packed."""
    return unpacked("a-file", body)


def packed_files() -> list[bytes]:
    """Packed, and not."""
    return [packed(written(month(orders=1))), gzip.compress(b"settlement-id\n")]


def document(body: bytes) -> bytes:
    """A document behind a link, packed."""
    return links.unpacked("a document", body)


def returns(body: bytes) -> Any:
    """The report of returns: its sound rows."""
    return read_returns("amazon-uk", body)[0]


def reports() -> list[bytes]:
    """The example."""
    return [(CONNECTORS / "amazon" / "examples" / "returns-five.txt").read_bytes()]
