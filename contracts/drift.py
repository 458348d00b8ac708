"""The closed list of causes for which storefront, warehouse and ledger may disagree about one record, and what one such difference says."""

from dataclasses import dataclass, field
from datetime import datetime

ABOUT = ("order", "tracking", "stock", "feed")


@dataclass(frozen=True)
class Cause:
    """Why two systems disagree. is_alarm: somebody must look; what is merely late is named, and no alarm."""

    name: str
    says: str
    is_alarm: bool = True


CAUSES: dict[str, Cause] = {cause.name: cause for cause in (
    Cause("late", "Not yet: a change is on its way, within the time that it needs.", is_alarm=False),
    Cause("not_sent", "We owe the storefront a change and have not brought it there for longer than that may take: see whether the flow runs."),
    Cause("in_doubt", "Nobody can tell whether our change arrived: look there, then decide on the blocked effect."),
    Cause("refused", "The storefront refused our change."),
    Cause("lost_write", "The storefront accepted what we sent, and does not show it."),
    Cause("manual_edit", "Somebody changed it at the storefront after our change had been seen there."),
    Cause("unit", "The two figures differ by exactly a unit or kit factor: one side counts cases, the other pieces."),
    Cause("double_count", "The difference is exactly what was counted twice: reserved units, changes between two statements, or a parcel shown twice."),
    Cause("unmapped", "A mapping is missing, or one side does not know the record, so nothing can be sent for it."),
    Cause("remapped", "The mapping was changed after the storefront had been told: it shows the old name."),
    Cause("cancelled_there", "The storefront cancelled the order or has it no more, and the warehouse still has it or shipped it."),
    Cause("closed_there", "The warehouse refused the order or closed it unshipped, and the storefront still waits for it."),
    Cause("shipped_outside", "The storefront shows as shipped what the warehouse did not advise: shipped by hand, or by somebody else."),
    Cause("missed", "The storefront has the order, or a change of it, for longer than it takes us to read it, and we do not have it."),
    Cause("silent", "The feed has stopped, so what we believe may be old."),
    Cause("unexplained", "None of the other causes explains it: look at what each side says."),
)}
ALARMS = tuple(name for name, cause in CAUSES.items() if cause.is_alarm)


@dataclass(frozen=True)
class Drifted:
    """One record about which they disagree. `record` is an order id, order id and package, or location and SKU; no personal data in any field.

    began_at: since when they disagree, as far as the evidence goes. evidence: more figures for the person who looks.
    """

    about: str
    record: str
    cause: str
    storefront_says: str
    warehouse_says: str
    ledger_says: str
    began_at: datetime
    detail: str = ""
    order_id: str = ""
    evidence: dict[str, object] = field(default_factory=dict)

    @property
    def is_alarm(self) -> bool:
        """Must somebody look?"""
        return CAUSES[self.cause].is_alarm
