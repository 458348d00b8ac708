"""`wharfinger reconcile FILE…`: settlement files from disk, read, added up and attributed. Needs no profile and changes nothing."""

import glob
import json
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from decimal import Decimal
from pathlib import Path
from typing import Any

from connectors.amazon.settlements.across import Sums, Together, read_together
from connectors.snapshots.rows import write_rows
from contracts.money import MINOR_DIGITS
from contracts.settlements import FINES, LEVELS, UNKNOWN
from deployments.cli_parts import out, print_table, told

CLEAN, OPEN, UNREADABLE = 0, 1, 2  # exit codes
_SUFFIXES = {"", ".txt", ".tsv", ".tab", ".csv", ".gz", ".zip"}  # what is taken out of a folder


def reconcile_files(named: Iterable[str], as_json: bool, into: Path | None = None) -> int:
    """Read, print, and say how it went: the exit code. into: a DuckDB file that gets every amount with what it is about, as the table settlement_rows."""
    missing: list[tuple[str, str]] = []
    found = read_together(_bodies(_paths(named, missing)))
    found.refused[:0] = missing
    if into:
        write_rows(into, "settlement_rows", (found.counted(file) for file in found.files))
    said = told_of(found)
    print(json.dumps(said, indent=2, ensure_ascii=False)) if as_json else _show(said)
    return UNREADABLE if found.refused else CLEAN if found.is_clean else OPEN


def told_of(found: Together) -> dict[str, Any]:
    """What a program reads. Amounts are decimal strings in major units; where the files have several currencies, a sum is an object by currency."""
    many = len(found.currencies) > 1
    return {
        "files": [_settlement(found, file, head) for file in found.files for head in file.heads],
        "attributed": {level: _level(found, level, many) for level in LEVELS if level != UNKNOWN},
        "unknown": [{"triple": list(key[:3]), "rows": rows, "amount": amount(units, key[3]), "currency": key[3]}
                    for key, (rows, units) in sorted(found.unknown.items())],
        "unexplained": _summed(found.unexplained, many and any(units for _, units in found.unexplained.values()), found.currencies),
        "unexplained_rows": [{"why": key[0], "triple": list(key[1:4]), "rows": rows, "amount": amount(units, key[4]), "currency": key[4]}
                             for key, (rows, units) in sorted(found.unexplained.items())],
        "reserve_chain": [_link(link) for link in found.links],
        "findings": [_finding(one) for one in found.findings],
        "unreadable": [{"file": file, "why": why} for file, why in found.refused],
        "clean": found.is_clean and not found.refused,
    }


def amount(units: int, currency: str) -> str:
    """Millionths of a minor unit -> '12.34'; more decimals only where the amount has them."""
    digits = MINOR_DIGITS.get(currency, 2)
    value = Decimal(units).scaleb(-digits - len(str(FINES)) + 1)
    fewest = value.quantize(Decimal(1).scaleb(-digits))
    return format(fewest if fewest == value else value.normalize(), "f")


def _settlement(found: Together, file: Any, head: Any) -> dict[str, Any]:
    difference = None if head.deposit is None else amount(head.deposit - head.sum, head.currency)
    return {
        "file": file.file, "settlement_id": head.settlement_id, "currency": head.currency, "format": file.layout, "rows": head.lines, "amounts": head.amounts,
        "deposit": None if head.deposit is None else amount(head.deposit, head.currency), "sum": amount(head.sum, head.currency), "difference": difference,
        "consistent": not head.wrong, "why": "; ".join(dict.fromkeys(head.wrong)), "counted": (file.file, head.settlement_id) not in found.repeated,
        "marketplace": head.marketplace, "from": _iso(head.started_at), "to": _iso(head.ended_at), "deposit_date": _iso(head.deposit_at)}


def _link(link: Any) -> dict[str, Any]:
    return {"settlement_id": link.settlement_id, "currency": link.currency, "marketplace": link.marketplace, "former_settlement_id": link.former_id,
            "previous_reserve": amount(link.stated, link.currency), "expected": None if link.expected is None else amount(link.expected, link.currency),
            "current_reserve": amount(link.current, link.currency), "state": link.state}


def _iso(moment: Any) -> str | None:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None


def _level(found: Together, level: str, many: bool) -> dict[str, Any]:
    mine = {key: said for key, said in found.levels.items() if key[0] == level}
    return {"rows": sum(rows for rows, _ in mine.values()), "amount": _summed(mine, many, found.currencies)}


def _summed(sums: Sums, many: bool, currencies: Iterable[str] = ()) -> Any:
    by_currency = dict.fromkeys(currencies, 0)
    for key, (_, units) in sums.items():
        by_currency[key[-1]] = by_currency.get(key[-1], 0) + units
    if many:
        return {currency: amount(units, currency) for currency, units in sorted(by_currency.items())}
    return next((amount(units, currency) for currency, units in by_currency.items() if units), amount(0, next(iter(by_currency), "")))


def _finding(one: dict[str, Any]) -> dict[str, Any]:
    return {"kind": one["kind"], "fails": one["fails"], "file": one["file"], "settlement_id": one["settlement_id"], "line": one["row"], "rows": one["rows"],
            "amount": amount(one["amount_minor"] * FINES, one["currency"]) if one["currency"] else None, "currency": one["currency"], "detail": one["detail"]}


def _paths(named: Iterable[str], missing: list[tuple[str, str]]) -> list[Path]:
    """Files, folders and patterns, each file once, in order."""
    paths: dict[str, Path] = {}
    for name in named:
        path = Path(name)
        if path.is_dir():
            some = [one for one in sorted(path.rglob("*")) if one.is_file() and not one.name.startswith(".") and one.suffix.lower() in _SUFFIXES]
        else:
            some = [path] if path.exists() else [Path(one) for one in sorted(glob.glob(name, recursive=True)) if Path(one).is_file()]
        if not some:
            missing.append((name, f"reading {name}: there is no such file. Trying again cannot help until it is there."))
        paths |= {str(one): one for one in some}
    return list(paths.values())


def _bodies(paths: list[Path]) -> Iterator[tuple[str, bytes]]:
    """One after the other, with a word on the screen about which one and how far."""
    for number, path in enumerate(paths, 1):
        size = path.stat().st_size / 1e6
        shown = told.status(f"{number} of {len(paths)}: {path.name} ({size:,.0f} MB)") if told.is_terminal else nullcontext()
        with shown:
            yield str(path), path.read_bytes()


def _show(said: dict[str, Any]) -> None:
    if said["files"]:
        print_table("settlements", [_in_words(one) for one in said["files"]], whole=("settlement", "deposit", "sum", "difference"))
        print_table("read from", [_read_from(one) for one in said["files"]], whole=("settlement", "from", "to"))
        print_table("attributed", [{"level": level, "rows": f"{one['rows']:,}", "amount": _words(one["amount"])} for level, one in said["attributed"].items()])
    if said["unknown"]:
        print_table("unknown kinds, set aside", [{"kind": " / ".join(one["triple"]), "rows": one["rows"], "amount": f"{one['amount']} {one['currency']}"}
                                                 for one in said["unknown"]])
    out.print(f"unexplained: {_words(said['unexplained'])}")
    links = [one for one in said["reserve_chain"] if one["former_settlement_id"]]
    if links:
        out.print(f"reserves: {sum(one['state'] == 'holds' for one in links)} of {len(links)} links hold")
    for title, fails in (("for somebody to look at", True), ("to know", False)):
        rows = [{"what": one["kind"].replace("_", " "), "where": Path(one["file"]).name + (f" line {one['line']}" if one["line"] else ""),
                 "settlement": one["settlement_id"], "amount": f"{one['amount']} {one['currency']}" if one["amount"] else "", "detail": one["detail"]}
                for one in said["findings"] if one["fails"] is fails]
        if rows:
            print_table(title, rows, whole=("settlement", "amount"))
    for one in said["unreadable"]:
        told.print(one["why"], style="red", markup=False)


def _in_words(one: dict[str, Any]) -> dict[str, str]:
    adds_up = ("yes" if one["consistent"] else "NO") + ("" if one["counted"] else ", known")
    return {"settlement": one["settlement_id"], "": f"{one['format']} {one['currency']}", "rows": f"{one['rows']:,}", "deposit": one["deposit"] or "none stated",
            "sum": one["sum"], "difference": one["difference"] or "", "adds up": adds_up}


def _read_from(one: dict[str, Any]) -> dict[str, str]:
    return {"settlement": one["settlement_id"], "from": (one["from"] or "")[:10], "to": (one["to"] or "")[:10], "file": Path(one["file"]).name}


def _words(summed: Any) -> str:
    return ", ".join(f"{units} {currency}" for currency, units in summed.items()) if isinstance(summed, dict) else summed
