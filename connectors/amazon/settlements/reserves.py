"""What one settlement holds back, the next one gives: 'Previous Reserve Amount Balance' is the former 'Current Reserve Amount' with its sign turned."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from connectors.amazon.settlements.deposits import Head

_ABUTS = timedelta(hours=1)  # the end of one is the start of the next; the seconds drift


@dataclass(frozen=True)
class Link:
    """A settlement and the one before it. Amounts in millionths of a minor unit.

    state: 'holds'; 'broken' (the two are next to each other and disagree); 'gap' (the one before it is not among the files); 'first' (nothing earlier is among them).
    """

    settlement_id: str
    currency: str
    marketplace: str
    former_id: str
    stated: int
    expected: int | None
    current: int
    state: str

    @property
    def difference(self) -> int:
        """What it states beyond what was held back."""
        return self.stated - self.expected if self.expected is not None else 0

    @property
    def detail(self) -> str:
        """In words."""
        if self.state == "broken":
            return f"the reserve that it brings forward is not what settlement {self.former_id} held back"
        return "the settlement before it is not among the files: what it brings forward cannot be checked" if self.state == "gap" else ""


def chain(heads: Sequence[Head], held: Mapping[tuple[str, str], int]) -> list[Link]:
    """A link for every settlement, by currency and time. held: (settlement, 'previous' | 'current') -> amount."""
    dated = sorted((head for head in heads if head.started_at and head.ended_at), key=lambda head: (head.currency, head.started_at, head.settlement_id))
    former = _pairs(dated, held)
    links = []
    for head in dated:
        before = former.get(head.settlement_id)
        stated, current = held.get((head.settlement_id, "previous"), 0), held.get((head.settlement_id, "current"), 0)
        if before:
            expected = -held.get((before.settlement_id, "current"), 0)
            state = "holds" if stated == expected else "broken"
        else:
            expected, is_later = None, any(_same_account(other, head) and other.ended_at <= head.started_at for other in dated if other is not head)
            state = "gap" if is_later else "first"
        links.append(Link(head.settlement_id, head.currency, head.marketplace, before.settlement_id if before else "", stated, expected, current, state))
    return links


def _pairs(dated: Sequence[Head], held: Mapping[tuple[str, str], int]) -> dict[str, Head]:
    """Which settlement precedes which. Accounts that end at the same moment are told apart by marketplace, then by the reserve that fits."""
    options = [(abs(head.started_at - other.ended_at), head, other) for head in dated for other in dated
               if other is not head and _same_account(head, other) and abs(head.started_at - other.ended_at) <= _ABUTS and other.started_at < head.started_at]

    def fits(option: tuple[timedelta, Head, Head]) -> tuple[bool, bool, timedelta, str]:
        apart, head, other = option
        differs = held.get((head.settlement_id, "previous"), 0) != -held.get((other.settlement_id, "current"), 0)
        return head.marketplace != other.marketplace, differs, apart, other.settlement_id

    former: dict[str, Head] = {}
    taken: set[str] = set()
    for _, head, other in sorted(options, key=fits):
        if head.settlement_id not in former and other.settlement_id not in taken:
            former[head.settlement_id] = other
            taken.add(other.settlement_id)
    return former


def _same_account(one: Head, other: Head) -> bool:
    return one.currency == other.currency and (one.marketplace == other.marketplace or not one.marketplace or not other.marketplace)
