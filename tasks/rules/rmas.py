"""Announced returns: which of them a unit that came back belongs to, which are complete, and what a person may ask for."""

import csv
import io
import re
from collections.abc import Iterable, Mapping
from typing import Any

Row = Mapping[str, Any]
Piece = dict[str, Any]

REFUSED, CLOSED = "refused", "closed"
NUMBER_LONGEST = 22  # what the segments of a return notice hold


def pieces(dues: Iterable[Any]) -> list[Piece]:
    """`Due`s as a return line keeps them: each waits for a refund effect, unless it is closed for a reason."""
    return [{"line_id": due.line_id, "first": due.first, "quantity": due.quantity, "grades": list(due.grades), "rma": "", "effect": "", "closed": ""} for due in dues]


def is_open(piece: Piece) -> bool:
    """Is it undecided whether this is refunded?"""
    return not piece["effect"] and not piece["closed"]


def split(piece: Piece, units: int) -> tuple[Piece, Piece]:
    """The first `units` of a piece, and the rest of it."""
    return piece | {"quantity": units}, piece | {"first": piece["first"] + units, "quantity": piece["quantity"] - units}


def used(all_pieces: Iterable[Piece]) -> dict[tuple[str, str], int]:
    """{(rma, line id): units that came back under it}."""
    sums: dict[tuple[str, str], int] = {}
    for piece in all_pieces:
        if piece["rma"]:
            sums[piece["rma"], piece["line_id"]] = sums.get((piece["rma"], piece["line_id"]), 0) + piece["quantity"]
    return sums


def under(new: Iterable[Piece], named: str, rmas: Iterable[Row], taken: Mapping[tuple[str, str], int]) -> list[Piece]:
    """Each piece under the announced return that has room for it: the one that the warehouse names, then those of the order, oldest first.

    A refused return only counts where it is named. What no return has room for stays without one.
    """
    listed = [row for row in rmas if row["rma"] == named] + [row for row in rmas if row["rma"] != named and row["state"] != REFUSED]
    taken, found = dict(taken), []
    for piece in new:
        for row in listed:
            room = sum(line["quantity"] for line in row["lines"] if line["line_id"] == piece["line_id"]) - taken.get((row["rma"], piece["line_id"]), 0)
            if room <= 0 or not piece["quantity"]:
                continue
            part, piece = split(piece, min(room, piece["quantity"]))
            taken[row["rma"], part["line_id"]] = taken.get((row["rma"], part["line_id"]), 0) + part["quantity"]
            found.append(part | {"rma": row["rma"]})
        found += [piece] if piece["quantity"] else []
    return found


def is_complete(lines: Iterable[Row], rma: str, taken: Mapping[tuple[str, str], int]) -> bool:
    """Has everything come back that this return announced?"""
    announced: dict[str, int] = {}
    for line in lines:
        announced[line["line_id"]] = announced.get(line["line_id"], 0) + line["quantity"]
    return all(taken.get((rma, line_id), 0) >= quantity for line_id, quantity in announced.items())


def read_lines(text: str) -> tuple[list[tuple[str, int]], list[str]]:
    """CSV with the header sku,quantity -> ([(storefront SKU, units)], problems)."""
    try:
        rows = [[cell.strip() for cell in row] for row in csv.reader(io.StringIO(text.removeprefix("\ufeff").strip()))]
    except csv.Error as error:
        return [], [f"it is not CSV ({error})"]
    if not rows or [name.casefold() for name in rows[0]] != ["sku", "quantity"]:
        return [], ["the first line must be: sku,quantity"]
    found, problems = [], []
    for number, row in enumerate(rows[1:], 2):
        if len(row) == 2 and row[0] and re.fullmatch(r"[1-9][0-9]{0,7}", row[1]):
            found.append((row[0], int(row[1])))
        elif any(row):
            problems.append(f"line {number}: it must be a SKU and a whole number above 0")
    return found, problems or ([] if found else ["it lists nothing"])


def ask_for(wanted: Iterable[tuple[str, int]], lines: Iterable[Row], room: Mapping[str, int]) -> tuple[dict[str, int], list[str]]:
    """{order line id: units} for these SKUs, lines of one SKU in order; `room`: units of each line that were shipped, are not back and not announced."""
    lines, found, problems = list(lines), {}, []
    for sku, quantity in wanted:
        of_sku = [line["line_id"] for line in lines if line["sku"].strip() == sku]
        left = quantity
        for line_id in of_sku:
            units = max(0, min(left, room.get(line_id, 0) - found.get(line_id, 0)))
            if units:
                found[line_id] = found.get(line_id, 0) + units
                left -= units
        if not of_sku:
            problems.append(f"{sku} is not on the order")
        elif left:
            problems.append(f"{sku}: {quantity} asked for, {quantity - left} were shipped and are neither back nor announced")
    return found, problems
