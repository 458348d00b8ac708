"""The exception desk: a person's word on one exception or many, and what follows from it.

Each exception is resolved in one transaction with what its remedy does, or not at all. What was resolved already is said, not an error:
two people may work through one list. Nothing leaves the desk without a name and a reason.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

from prefect import task

from connectors.house import House
from connectors.kit.errors import BadConfiguration, WharfingerError
from connectors.ledger.ledger import Row, Tx
from connectors.ports import DISPATCH_CONFIRMATION
from contracts.exceptions import (
    ADD_MAPPING, APPROVE_RETURN, BELIEVE_IT, CHOOSE_ORDER, DONE, IT_IS_THERE, REFUND_IT, REFUSE_RETURN, REMEDIES, RESEND, SEND_AGAIN, TYPES,
)
from contracts.mappings import TABLES
from tasks.dispatches import owe_completion
from tasks.mappings import MappingChange, change_in
from tasks.opened import RETRY, house
from tasks.orders import PLANNING_TYPES
from tasks.refunds import approve_refund, refund_again
from tasks.resend import has_arrived, resend, send_unanswered
from tasks.returns import match_by_hand
from tasks.rmas import decide_rma
from tasks.rules.mapping_rows import known, merged, tables_of, typed_rows
from tasks.stock_watch import believe

OPEN = "open"
UNACKNOWLEDGED = "unacknowledged"
BEGINNING = 6  # letters of an id that are enough
BY_OTHERS = (CHOOSE_ORDER, APPROVE_RETURN, REFUSE_RETURN, REFUND_IT, BELIEVE_IT)  # carried out where they belong, in a transaction of their own


@dataclass(frozen=True)
class Answer:
    """What became of one exception: outcome is 'resolved', 'resolved before', 'refused', or for a dry run 'would be resolved'."""

    id: str
    type: str
    where: str
    record: str
    outcome: str
    said: str


@dataclass(frozen=True)
class Resolution:
    """What a person's word did. `mapping` is the change it made, when it made one."""

    remedy: str
    answers: list[Answer]
    mapping: MappingChange | None = None

    @property
    def refused(self) -> list[Answer]:
        """Those that stay on the desk."""
        return [answer for answer in self.answers if answer.outcome == "refused"]

    def told(self) -> dict[str, Any]:
        """As JSON, for a program or a run."""
        return {"remedy": self.remedy, "answers": [asdict(answer) for answer in self.answers], "mapping": self.mapping and asdict(self.mapping)}


@dataclass(frozen=True)
class Word:
    """Who says what."""

    remedy: str
    actor: str
    reason: str
    order: str = ""


def resolve(opened: House, exception_ids: str | Iterable[str], remedy: str, actor: str, reason: str, *, mapping: str = "", rows: str = "", order: str = "",
            dry_run: bool = False) -> Resolution:
    """Resolve these exceptions (ids or their beginnings) with one remedy. Raises BadConfiguration when it does not fit them: then nothing was done.

    mapping, rows: for ADD_MAPPING, the table ('' when the exceptions say which) and what `typed_rows` reads. order: for CHOOSE_ORDER,
    'CONNECTION ORDER'. What a single exception refuses stays on the desk and is among the answers.
    """
    word = Word(_known_remedy(remedy), actor.strip(), reason.strip(), order.strip())
    found = look_up(opened, exception_ids)
    _check(word, found)
    if word.remedy == ADD_MAPPING:
        return _add_mapping(opened, found, word, mapping, rows, dry_run)
    return Resolution(word.remedy, [_resolve_one(opened, row, word, dry_run) for row in found])


def look_up(opened: House, exception_ids: str | Iterable[str]) -> list[Row]:
    """The exceptions of these ids or beginnings, each once, open or not. Raises BadConfiguration that names what is not found or not clear."""
    wanted = re.split(r"[\s,;|]+", exception_ids) if isinstance(exception_ids, str) else list(exception_ids)
    found: dict[str, Row] = {}
    with opened.ledger.transaction() as tx:
        for beginning in filter(None, (one.strip().casefold() for one in wanted)):
            rows = opened.ledger.exceptions.beginning(tx, beginning) if len(beginning) >= BEGINNING else []
            if len(rows) != 1:
                got = f"{len(rows)} exceptions begin with it" if rows else f"no exception begins with it (at least {BEGINNING} letters)"
                raise BadConfiguration(f"looking for exception {beginning!r}", got, "Take the ids from the list.")
            found[rows[0].exception_id] = rows[0]
    if not found:
        raise BadConfiguration("resolving exceptions", "no id was given", "Take the ids from the list.")
    return list(found.values())


def _known_remedy(remedy: str) -> str:
    plain = re.sub(r"[\s_-]+", " ", remedy).strip().casefold()
    if plain not in REMEDIES:
        raise BadConfiguration(f"resolving by {remedy!r}", "there is no such remedy", f"Choose from: {', '.join(REMEDIES)}.")
    return plain


def _check(word: Word, found: list[Row]) -> None:
    """Before anything is done: does the remedy fit all of them, and is everything said that it needs?"""
    wrong = {row.type for row in found if row.state == OPEN and word.remedy not in TYPES[row.type].remedies}
    if wrong:
        allowed = "; ".join(f"{kind}: {' or '.join(TYPES[kind].remedies)}" for kind in sorted(wrong))
        raise BadConfiguration(f"resolving by {word.remedy!r}", f"it does not fit {', '.join(sorted(wrong))}", f"Choose for {allowed}.")
    if not word.actor or not word.reason:
        raise BadConfiguration("resolving exceptions", "there is no name or no reason", "Say who decided, and why.")
    if (word.remedy == CHOOSE_ORDER) != bool(word.order):
        raise BadConfiguration(f"resolving by {word.remedy!r}", "the order is missing" if word.remedy == CHOOSE_ORDER else "it takes no order",
                               f"Give the order with {CHOOSE_ORDER!r}, as CONNECTION ORDER, and with no other remedy.")


class _RolledBack(Exception):
    pass


def _resolve_one(opened: House, row: Row, word: Word, dry_run: bool) -> Answer:
    if row.state != OPEN:
        return _answer(row, "resolved before", _who(row))
    if word.remedy in BY_OTHERS:
        return _by_others(opened, row, word, dry_run)
    said = ""
    try:
        with opened.ledger.transaction() as tx:
            if not _close(opened, tx, row, word):
                return _answer(row, "resolved before", _who(opened.ledger.exceptions.get(tx, row.exception_id)))
            said = _CARRY_OUT[word.remedy](opened, tx, row, word)
            if dry_run:
                raise _RolledBack
    except _RolledBack:
        return _answer(row, "would be resolved", said)
    except WharfingerError as error:
        return _answer(row, "refused", str(error))
    return _answer(row, "resolved", said)


def _close(opened: House, tx: Tx, row: Row, word: Word, more: str = "") -> bool:
    """First of all: whoever comes second finds it closed, and carries nothing out."""
    if not opened.ledger.exceptions.resolve(tx, row.exception_id, word.actor, word.reason):
        return False
    opened.ledger.timeline.note(tx, row.connection, row.record, f"{row.type} resolved", word.actor, f"{word.remedy}: {word.reason}{more}")
    opened.ledger.journal.note(tx, word.actor, "exception resolved", {"exception": row.exception_id, "type": row.type, "connection": row.connection,
                                                                      "record": row.record, "remedy": word.remedy, "reason": word.reason})
    return True


def _done(opened: House, tx: Tx, row: Row, word: Word) -> str:
    if row.type in PLANNING_TYPES and opened.ledger.books.plan_again(tx, [(row.connection, row.record)]):
        return "The order is planned again with the next run; what still holds comes back."
    return "Closed."


def _there(opened: House, tx: Tx, row: Row, word: Word) -> str:
    if row.type == UNACKNOWLEDGED:
        return has_arrived(opened, tx, row)
    return _decide(opened, tx, row, word, True)


def _again(opened: House, tx: Tx, row: Row, word: Word) -> str:
    if row.type == UNACKNOWLEDGED:
        return send_unanswered(opened, tx, row, word.actor)
    return _decide(opened, tx, row, word, False)


def _decide(opened: House, tx: Tx, row: Row, word: Word, is_there: bool) -> str:
    if not opened.ledger.effects.decide(tx, row.evidence["effect"], is_there, word.actor):
        return "It was decided meanwhile; nothing more is done."
    if is_there:
        _goes_on(opened, tx, row.evidence["effect"])
    return f"{row.evidence['target']} has it." if is_there else f"It goes to {row.evidence['target']} again with the next run."


def _goes_on(opened: House, tx: Tx, effect_id: str) -> None:
    """Nobody reads back what a person has seen there: what would follow from that follows now."""
    effect = opened.ledger.effects.get(tx, effect_id)
    if effect.kind == DISPATCH_CONFIRMATION:
        owe_completion(opened, tx, effect.target, effect.record)


def _resend(opened: House, tx: Tx, row: Row, word: Word) -> str:
    return resend(opened, tx, row, word.actor)


_CARRY_OUT: dict[str, Callable[[House, Tx, Row, Word], str]] = {DONE: _done, IT_IS_THERE: _there, SEND_AGAIN: _again, RESEND: _resend}


def _by_others(opened: House, row: Row, word: Word, dry_run: bool) -> Answer:
    if dry_run:
        return _answer(row, "would be resolved", REMEDIES[word.remedy])
    try:
        if word.remedy == CHOOSE_ORDER:
            connection, _, order = word.order.rpartition(" ")
            match_by_hand(opened, row.exception_id, connection.strip() or _only_storefront(opened), order, word.actor, word.reason)
        elif word.remedy == REFUND_IT:
            (refund_again if row.evidence.get("effect") else approve_refund)(opened, row.exception_id, word.actor, word.reason)
        elif word.remedy == BELIEVE_IT:
            believe(opened, row.exception_id, word.actor, word.reason)
        else:
            decide_rma(opened, row.connection, row.evidence["rma"], word.remedy == APPROVE_RETURN, word.actor, word.reason)
    except WharfingerError as error:
        return _answer(row, "refused", str(error))
    with opened.ledger.transaction() as tx:
        _close(opened, tx, row, word)
    return _answer(row, "resolved", REMEDIES[word.remedy])


def _only_storefront(opened: House) -> str:
    names = opened.names("storefront")
    if len(names) != 1:
        raise BadConfiguration("choosing the order", f"there are several storefronts: {', '.join(names)}", "Give CONNECTION ORDER.")
    return names[0]


def _add_mapping(opened: House, found: list[Row], word: Word, mapping: str, rows: str, dry_run: bool) -> Resolution:
    """One change of one table for all of them; a row that would not free each of them is refused, and nothing is changed."""
    open_rows = [row for row in found if row.state == OPEN]
    if not open_rows:
        return Resolution(word.remedy, [_answer(row, "resolved before", _who(row)) for row in found])
    table = _table(open_rows, mapping)
    typed, problems = typed_rows(table, rows, known(table, [row.waits_on for row in open_rows]))
    if problems:
        raise BadConfiguration(f"adding to {table}", "; ".join(problems[:5]), "Nothing was changed.")
    change, answers = None, []
    try:
        with opened.ledger.transaction() as tx:
            change = change_in(opened, tx, table, merged(table, opened.ledger.mappings.current(tx, table), typed), word.actor)
            _check_freed(table, open_rows, change)
            for row in found:
                is_new = row.state == OPEN and _close(opened, tx, row, word, f" ({table})")
                before = opened.ledger.exceptions.get(tx, row.exception_id) if not is_new else row
                outcome = "resolved before" if not is_new else "would be resolved" if dry_run else "resolved"
                answers.append(_answer(row, outcome, "Freed: it goes on with the next run." if is_new else _who(before)))
            if dry_run:
                raise _RolledBack
    except _RolledBack:
        pass
    return Resolution(word.remedy, answers, change)


def _table(found: list[Row], mapping: str) -> str:
    """The table that is named, or the only one that would free them all."""
    may = [table for table in TABLES if all(table in (*tables_of(row.waits_on), TYPES[row.type].mapping) for row in found)]
    if mapping and mapping not in may or not mapping and len(may) != 1:
        got = f"{mapping} would free none of them" if mapping else "it is not said which table"
        remedy = f"Choose from {', '.join(may)}." if may else "These exceptions wait for no table in common: take them apart."
        raise BadConfiguration("adding a mapping", got, remedy)
    return mapping or may[0]


def _check_freed(table: str, wanted: list[Row], change: MappingChange) -> None:
    left = [row for row in wanted if row.exception_id not in change.freed]
    if left:
        waits = ", ".join(sorted({row.waits_on for row in left if row.waits_on})[:3]) or "the record itself to change"
        raise BadConfiguration(f"adding to {table}", f"the row would not free {', '.join(row.exception_id[:8] for row in left[:5])}",
                               f"They wait for {waits}. Nothing was changed.")


def _who(row: Row) -> str:
    return f"by {row.resolved_by} at {row.resolved_at:%Y-%m-%d %H:%M} UTC: {row.reason}"


def _answer(row: Row, outcome: str, said: str) -> Answer:
    return Answer(row.exception_id, row.type, row.connection, row.record, outcome, said)


def summary(resolution: Resolution, dry_run: bool) -> str:
    """What was done, in one sentence for the list of answers."""
    counts = Counter(answer.outcome for answer in resolution.answers)
    said = f"{resolution.remedy}: {', '.join(f'{count} {outcome}' for outcome, count in counts.items())}."
    change = resolution.mapping
    if change:
        would = "would free" if dry_run else "frees"
        freed = [*(f"order {one}" for one in change.freed_orders), *(f"dispatch of {one}" for one in change.freed_dispatches)]
        said += f" {change.table}: {change.added} added, {change.altered} altered; it {would} {len(change.freed)}: {', '.join(freed[:20])}."
    return f"Dry run, nothing was changed. {said}" if dry_run else said


@task(name="resolve exceptions", task_run_name="{remedy} by {actor}", **RETRY)
def resolve_now(exceptions: str, remedy: str, actor: str, reason: str, mapping: str, rows: str, order: str, dry_run: bool) -> dict[str, Any]:
    """A person's word, with every answer; `problems` is what stays on the desk, and why."""
    table = mapping if mapping in TABLES else ""
    try:
        resolution = resolve(house(), exceptions, remedy, actor, reason, mapping=table, rows=rows, order=order, dry_run=dry_run)
    except BadConfiguration as error:
        said = str(error)
        return {"remedy": remedy, "answers": [{"outcome": "nothing was done", "said": said}], "mapping": None, "summary": said, "problems": [said]}
    problems = [f"{answer.id[:8]} stays: {answer.said}" for answer in resolution.refused]
    return resolution.told() | {"summary": summary(resolution, dry_run), "problems": problems}
