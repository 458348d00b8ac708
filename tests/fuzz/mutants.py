"""Mutants of a document: the same seed and number give the same mutant, in any process.

Half are blind (bytes are flipped, cut out, doubled, swapped, put in from another sample), half know the form: segments and elements of X12 with the
counts set right again, so that the mutant gets past the envelope; cells and rows of CSV; nodes of JSON; lines and values of TOML.
"""

import json
import random
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

DEEP = 3_000
VALUES = ["", " ", "0", "-0", "-1", "1", "00", "007", "1.5", "0.000000000000000001", "1e5", "1e400", "1E-400", "NaN", "Infinity", "-Infinity", "0x1F", "1_000", "1,000.00",
          "9" * 15, "9" * 19, "9" * 40, "9" * 400, "-" + "9" * 30, str(2**31), str(2**63 - 1), str(2**63), str(2**64), "99991231", "00010101", "20260230", "20260229",
          "99999999", "2400", "2359", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "2026-02-30", "2026-01-15T09:00:00+99:99", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "Fri, 31 Dec 9999 23:59:59 -2359", "Thu, 01 Jan 1970 00:00:00 +0000",
          "true", "false", "null", "None", "yes", "\x00", "a\x00b", "\t", "\r\n", "\n", "~", "*", ">", "^", "|", '"', "'", '""', ";", "\\", "\x1f", "\x7f", "\x85", "\u2028",
          "=1+1", "@SUM(A1)", "+1", "../../etc/passwd", "CON", "%s%n", "{0}", "${x}", "<script>", "'; DROP TABLE effect; --", "\ufeff", "\u202e", "\u200b",
          "\u0663", "\uff11\uff12", "\u00bd", "\u00b2", "\u212a", "\u0130", "ß", "e\u0301", "\U0001f4a9", "\ufdd0", "\ud800", "x" * 300, "é" * 5_000, "GBP", "XXX", "JPY", "AA", "zz"]
NODES: list[Any] = [None, True, False, 0, -1, 1, 2**31, 2**63, -2**63, 10**40, 1.5, -0.0, Decimal("0.001"), Decimal("1E+300000"), Decimal("1E-300000"), Decimal("1E+9999999"), [], {}, [[]], [None], {"": None}, "", [1, "a", None]]


def mutant(dice: random.Random, sample: bytes, form: str, others: list[bytes]) -> bytes:
    """One more."""
    body = sample
    for _ in range(dice.choice((1, 1, 1, 2, 3, 6))):
        knowing = FORMS.get(form)
        body = knowing(dice, body) if knowing and dice.random() < 0.6 else _blind(dice, body, others)
        if len(body) > 400_000:
            return body[:400_000]
    return body


def truncations(sample: bytes) -> list[bytes]:
    """Every beginning of it that is not the whole."""
    return [sample[:end] for end in range(len(sample))]


def encoded(text: str) -> bytes:
    """As bytes; half a surrogate pair as it would come from somebody who does not care."""
    return text.encode("utf-8", "surrogatepass")


def _blind(dice: random.Random, body: bytes, others: list[bytes]) -> bytes:
    at, length = dice.randrange(len(body) + 1), dice.choice((1, 1, 2, 4, 16, 64, 200))
    end = min(len(body), at + length)
    how = dice.randrange(9)
    if how == 0:
        return body[:at] + bytes([dice.randrange(256)]) + body[at + 1:]
    if how == 1:
        return body[:at] + body[end:]
    if how == 2:
        return body[:at] + body[at:end] * dice.choice((2, 2, 3, 50)) + body[end:]
    if how == 3:
        return body[:at] + encoded(dice.choice(VALUES)) + body[at if dice.random() < 0.5 else end:]
    if how == 4:
        other = dice.choice(others or [body])
        there = dice.randrange(len(other) + 1)
        return body[:at] + other[there:there + dice.choice((4, 30, 300))] + body[at:]
    if how == 5:
        there = dice.randrange(len(body) + 1)
        piece = body[at:end]
        rest = body[:at] + body[end:]
        return rest[:there] + piece + rest[there:]
    if how == 6:
        return body[:at]
    if how == 7 and at < len(body):
        return body[:at] + bytes([body[at] ^ (1 << dice.randrange(8))]) + body[at + 1:]
    return body + body[at:end] if dice.random() < 0.5 else body[at:]


def _x12(dice: random.Random, body: bytes) -> bytes:
    text = body.decode("latin-1")
    if len(text) < 106:
        return body
    element, terminator = text[3], text[105]
    segments = [segment.lstrip("\r\n") for segment in text.split(terminator)]
    tail = segments.pop() if segments else ""
    inner = [place for place, segment in enumerate(segments) if segment[:3] not in ("ISA", "IEA") and not segment.startswith(("GS", "GE", "ST", "SE"))]
    if not inner:
        return body
    place, how = dice.choice(inner if dice.random() < 0.85 else range(len(segments))), dice.randrange(7)
    parts = segments[place].split(element)
    if how == 0:
        del segments[place]
    elif how == 1:
        segments.insert(place, segments[dice.choice(inner)])
    elif how == 2:
        other = dice.choice(inner)
        segments[place], segments[other] = segments[other], segments[place]
    elif how == 3 and len(parts) > 1:
        parts[dice.randrange(1, len(parts))] = dice.choice(VALUES).encode("utf-8", "replace").decode("latin-1")
        segments[place] = element.join(parts)
    elif how == 4:
        parts = parts[:dice.randrange(1, len(parts) + 1)] + [dice.choice(VALUES[:40])] * dice.choice((0, 1, 3, 250))
        segments[place] = element.join(parts)
    elif how == 5:
        whole = [at for at, segment in enumerate(segments) if segment.startswith("ST")]
        ends = [at for at, segment in enumerate(segments) if segment.startswith("SE")]
        if whole and ends and ends[-1] > whole[0]:
            chosen = segments[whole[0]:ends[0] + 1]
            segments[ends[0] + 1:ends[0] + 1] = chosen
    elif len(parts) > 1:
        at = dice.randrange(1, len(parts))
        parts[at] = _bent(dice, parts[at])
        segments[place] = element.join(parts)
    if dice.random() < 0.8:
        segments = _counted(segments, element)
    return (terminator.join([*segments, tail])).encode("latin-1", "replace")


def _bent(dice: random.Random, text: str) -> str:
    """A little otherwise: a digit more, a sign, another case, cut, doubled."""
    return dice.choice((text + "0", "-" + text, text.lower(), text[:-1], text * 2, text.zfill(12), " " + text, text[::-1], re.sub(r"\d", "9", text), text.replace("0", "O")))


def _counted(segments: list[str], element: str) -> list[str]:
    """The same with every SE, GE and IEA counting what is there, and every set numbered."""
    counted, start, sets, groups = [], 0, 0, 0
    for segment in segments:
        parts = segment.split(element)
        if parts[0] == "GS":
            sets, groups = 0, groups + 1
        elif parts[0] == "ST" and len(parts) > 2:
            start, sets = len(counted), sets + 1
            parts[2] = f"{sets:04}"
        elif parts[0] == "SE" and len(parts) > 2:
            parts[1:3] = [str(len(counted) - start + 1), f"{sets:04}"]
        elif parts[0] == "GE" and len(parts) > 2:
            parts[1] = str(sets)
        elif parts[0] == "IEA" and len(parts) > 2:
            parts[1] = str(groups)
        counted.append(element.join(parts))
    return counted


def _rows(delimiter: str) -> Callable[[random.Random, bytes], bytes]:
    def change(dice: random.Random, body: bytes) -> bytes:
        lines = body.decode("utf-8", "surrogateescape").split("\n")
        place, how = dice.randrange(len(lines)), dice.randrange(8)
        cells = lines[place].split(delimiter)
        at = dice.randrange(len(cells))
        if how == 0:
            del lines[place]
        elif how == 1:
            lines.insert(dice.randrange(len(lines) + 1), lines[place])
        elif how == 2:
            del cells[at]
        elif how == 3:
            cells.insert(at, dice.choice(VALUES))
        elif how in (4, 5):
            cells[at] = dice.choice(VALUES)
        elif how == 6:
            cells[at] = _bent(dice, cells[at])
        else:
            cells[at] = '"' + cells[at] + dice.choice(('"', "", '""', "\n"))
        if how > 1:
            lines[place] = delimiter.join(cells)
        return "\n".join(lines).encode("utf-8", "surrogateescape" if "\ud800" not in "".join(lines) else "replace")

    return change


def _json(dice: random.Random, body: bytes) -> bytes:
    try:
        tree = json.loads(body, parse_float=Decimal)
    except (ValueError, RecursionError):
        return body
    holders = _holders(tree)
    if not holders:
        return json.dumps(dice.choice(NODES), default=str).encode()
    holder, key = dice.choice(holders)
    how = dice.randrange(8)
    if how == 0:
        del holder[key]
    elif how == 1 and isinstance(holder, dict):
        holder[dice.choice(VALUES)] = holder[key]
    elif how == 1:
        holder.insert(key, holder[key])
    elif how in (2, 3):
        holder[key] = dice.choice(NODES)
    elif how == 4:
        holder[key] = dice.choice(VALUES)
    elif how == 5:
        holder[key] = _bent(dice, str(holder[key])) if not isinstance(holder[key], (dict, list)) else [holder[key]]
    elif how == 6:
        number = dice.choice((10**18, 10**30, -1, 0, Decimal("1e-9"), 2**53 + 1))
        holder[key] = number
    else:
        other, there = dice.choice(holders)
        holder[key] = other[there] if other is not holder and not _within(holder, other[there]) else None
    text = json.dumps(tree, default=_raw, ensure_ascii=dice.random() < 0.5)
    if dice.random() < 0.02:
        text = text.replace("null", "[" * DEEP + "]" * DEEP, 1) if "null" in text else "[" * DEEP + text + "]" * DEEP
    return encoded(re.sub(r'"\x01([^"]*)\x01"|"\\u0001([^"]*?)\\u0001"', lambda found: found[1] or found[2], text))


def _raw(value: Any) -> str:
    return f"\x01{value}\x01" if isinstance(value, Decimal) else str(value)


def _holders(tree: Any) -> list[tuple[Any, Any]]:
    found, waiting = [], [tree]
    while waiting:
        node = waiting.pop()
        pairs = list(node.items()) if isinstance(node, dict) else list(enumerate(node)) if isinstance(node, list) else []
        found += [(node, key) for key, _ in pairs]
        waiting += [value for _, value in pairs]
    return found


def _within(holder: Any, tree: Any) -> bool:
    """A tree that holds itself cannot be written."""
    return tree is holder or any(node[key] is holder for node, key in _holders(tree))


def _toml(dice: random.Random, body: bytes) -> bytes:
    lines = body.decode("utf-8", "replace").split("\n")
    place, how = dice.randrange(len(lines)), dice.randrange(6)
    key, mark, value = lines[place].partition("=")
    if how == 0:
        del lines[place]
    elif how == 1:
        lines.insert(place, lines[dice.randrange(len(lines))])
    elif mark and how == 2:
        lines[place] = f"{key}= {dice.choice(('1', '-1', '1e400', 'nan', 'inf', 'true', '[]', '{}', '[[]]', '2026-01-01', '99:00', '0.1', str(10**30)))}"
    elif mark and how == 3:
        lines[place] = f"{key}= {json.dumps(dice.choice(VALUES))}"
    elif mark and how == 4:
        lines[place] = f"{_bent(dice, key.strip())} ={value}"
    else:
        lines.insert(place, f"[{dice.choice(('ledger', 'vault', 'connections', 'connections.x', 'retention', 'alerts.notify', 'a.b.c'))}]")
    return encoded("\n".join(lines))


def _words(dice: random.Random, body: bytes) -> bytes:
    parts = re.split(r"(\W)", body.decode("utf-8", "replace"))
    place, how = dice.randrange(len(parts)), dice.randrange(5)
    if how == 0:
        parts[place] = dice.choice(VALUES)
    elif how == 1:
        other = dice.randrange(len(parts))
        parts[place], parts[other] = parts[other], parts[place]
    elif how == 2:
        del parts[place]
    elif how == 3:
        parts[place:place] = parts[place:place + dice.choice((1, 3, 8))]
    else:
        parts[place] = _bent(dice, parts[place])
    return encoded("".join(parts))


FORMS: dict[str, Callable[[random.Random, bytes], bytes]] = {
    "x12": _x12, "csv": _rows(","), "tsv": _rows("\t"), "json": _json, "toml": _toml, "words": _words}
