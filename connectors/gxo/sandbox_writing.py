"""What the sandbox writes: 997s and 945s as such partners send them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from connectors.gxo.profile import Profile
from connectors.gxo.x12 import Separators
from connectors.gxo.x12_write import Envelope

Row = tuple[str, ...]


@dataclass
class Parcel:
    """One package that left: units by line."""

    shipment: str
    package: str
    carrier: str
    service: str
    tracking: str
    content: dict[str, int]


def envelope_of(profile: Profile, control: int, at: datetime) -> Envelope:
    """From the partner to us, dated in the partner's time."""
    return Envelope(profile.partner_qualifier, profile.partner_id, profile.our_qualifier, profile.our_id,
                    profile.partner_group_id or profile.partner_id, profile.our_group_id or profile.our_id, profile.usage, control,
                    at.astimezone(ZoneInfo(profile.timezone)),
                    Separators("*", ">", "~"))


def acknowledgement_sets(group_code: str, group_number: str, answers: list[tuple[str, str, str]]) -> list[Row]:
    """The body of one 997 about one group; answers: (set id, set number, why it was refused or '')."""
    rows: list[Row] = [("AK1", group_code, group_number)]
    for set_id, number, fault in answers:
        rows += [("AK2", set_id, number), ("AK5", "R", "5") if fault else ("AK5", "A")]
    good = sum(not fault for _, _, fault in answers)
    verdict = "A" if good == len(answers) else "P" if good else "R"
    return [*rows, ("AK9", verdict, str(len(answers)), str(len(answers)), str(good))]


def advice_set(order: Any, shipment: str, parcels: list[Parcel], at: datetime, numbered: bool, status: str = "CN") -> list[Row]:
    """The body of one 945: a parcel an LX, or one LX with zeros when nothing was shipped; status: and nothing will be (CN), or not yet (BK)."""
    rows: list[Row] = [("W06", "F", order.reference, f"{at:%Y%m%d}", shipment), ("N1", "WH", "", "92", order.facility), ("G62", "11", f"{at:%Y%m%d}", "1", f"{at:%H%M}")]
    carrier = parcels[0].carrier if parcels else order.carrier
    rows.append(("W27", "M", carrier, order.service))
    if not parcels:
        rows.append(("LX", "1"))
        for key, line in order.lines.items():
            rows += [("W12", status, str(line["quantity"]), "0", str(line["quantity"]), line["unit"], "", "SK", line["sku"]), ("N9", "LI", key)]
    for place, parcel in enumerate(parcels, 1):
        rows += [("LX", str(place)), ("MAN", "GM", parcel.package), ("MAN", "CP", parcel.tracking)]
        for key, units in parcel.content.items():
            line = order.lines[key]
            status = "CC" if units == line["quantity"] else "CP"
            rows.append(("W12", status, str(line["quantity"]), str(units), str(line["quantity"] - units), line["unit"], "", "SK", line["sku"]))
            rows += [("N9", "LI", key)] if numbered and not key.startswith("?") else []
    return [*rows, ("W03", str(sum(sum(parcel.content.values()) for parcel in parcels)))]
