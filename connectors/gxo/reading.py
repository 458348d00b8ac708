"""What reading any set needs: times, whole quantities, item numbers, facilities; or Unsound, which names segment and reason. Pure."""

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from connectors.gxo.profile import Profile
from connectors.gxo.profile_types import path_parts
from connectors.gxo.wire import PAIRS, first, values
from connectors.gxo.x12 import Group, Segment, moment

_WHOLE = re.compile(r"(-?[0-9]{1,15})(\.0*)?")
_UNIT = re.compile(r"[A-Z0-9]{2}")
_TIME_OF = {("BIA", 4): 5, ("DTM", 2): 3, ("G62", 2): 4, ("W17", 2): 7, ("BGN", 3): 4}  # (segment, element of a date) -> element of its time
_CODE_OF = {"DTM": 4, "BGN": 5}  # the element that names the zone of the time
_UNIVERSAL = ("UT", "GM")


class Unsound(ValueError):
    """A set says something that cannot be true; the text names segment and reason."""


def utc(naive: datetime | None, profile: Profile) -> datetime | None:
    """The partner's local time -> UTC; None when there is none, or none that a calendar holds."""
    try:
        return naive.replace(tzinfo=ZoneInfo(profile.timezone)).astimezone(UTC) if naive else None
    except OverflowError:
        return None


def when(paths: list[str], segments: list[Segment], profile: Profile, group: Group) -> datetime:
    """The first date at these paths with the time beside it; without one the group's time when it is the same day, else that day's beginning.

    To the minute, as GS05 has no seconds with most: within a minute the order in which the partner wrote its files (ISA13) tells what came
    first. Raises Unsound when nothing stands there, or no date.
    """
    for path in paths:
        segment_id, qualifier, element = path_parts(path)
        element = element or 2
        for segment in segments:
            date = segment.at(element)
            if segment.id != segment_id or (qualifier and segment.at(1) != qualifier) or not date:
                continue
            time = segment.at(_TIME_OF.get((segment_id, element), 0)) if (segment_id, element) in _TIME_OF else ""
            at = moment(date, time or (group.time if date == group.date else ""))
            universal = bool(time) and segment_id in _CODE_OF and segment.at(_CODE_OF[segment_id]) in _UNIVERSAL
            known = at.replace(tzinfo=UTC) if at and universal else utc(at, profile)
            if known is None:
                raise Unsound(f"segment {segment.number} ({segment.id} element {element:02}): not a date and time")
            return known.replace(second=0)
    raise Unsound(f"segment {segments[0].number} ({segments[0].id}): no date at {' or '.join(paths)}")


def whole(segment: Segment, position: int) -> int:
    """A quantity in whole units, signed. Raises Unsound for a fraction or none."""
    found = _WHOLE.fullmatch(segment.at(position))
    if not found:
        raise Unsound(f"segment {segment.number} ({segment.id} element {position:02}): not a whole quantity")
    return int(found[1])


def whole_and_positive(segment: Segment, position: int) -> int:
    """The same, of what cannot be negative."""
    units = whole(segment, position)
    if units < 0:
        raise Unsound(f"segment {segment.number} ({segment.id} element {position:02}): a quantity below zero")
    return units


def unit(segment: Segment, position: int) -> str:
    """The unit there; the first component where it is a composite. '' when there is none."""
    found = _UNIT.match(segment.at(position))
    return found[0] if found else ""


def item_number(segment: Segment, qualifiers: list[str]) -> str:
    """The SKU under the first of these qualifiers that the segment has. Raises Unsound when it has none."""
    pairs = [(segment.at(name), segment.at(value)) for name, value in PAIRS[segment.id] if name <= len(segment.elements)]
    sku = next((value for qualifier in qualifiers for name, value in pairs if name == qualifier and value), "")
    if not sku:
        raise Unsound(f"segment {segment.number} ({segment.id}): no item number with qualifier {' or '.join(qualifiers)}")
    return sku


def facilities(paths: list[str], segments: list[Segment]) -> set[str]:
    """Every facility at the first of these paths that has one. Of a header it is looked up once: header and lines may both be very long."""
    return next((set(there) for path in paths if (there := values(path, segments))), set())


def facility(paths: list[str], line: list[Segment], around: set[str]) -> str:
    """Where it lies: what the line says, else the header (`around`). Raises Unsound when neither does, or when it names two."""
    found = facilities(paths, line) or around
    if len(found) != 1:
        raise Unsound(f"segment {line[0].number} ({line[0].id}): {'two facilities' if found else 'no facility'} at {' or '.join(paths)}")
    return next(iter(found))


def needed(name: str, paths: list[str], header: list[Segment]) -> str:
    """What must stand in the header. Raises Unsound."""
    found = first(paths, header)
    if not found:
        raise Unsound(f"segment {header[0].number} ({header[0].id}): no {name} at {' or '.join(paths)}")
    return found
