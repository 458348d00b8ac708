"""What is cut off, forged, addressed to others or made to hurt is refused as a whole, at the port, and within bounded time."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from connectors.gxo.mapping import acknowledgement_document
from connectors.gxo.mapping_notice import receipt_document, return_document
from connectors.gxo.mapping_order import CANCEL, CHANGE, NEW, order_document
from connectors.gxo.rehearsal import CSV
from connectors.gxo.sandbox import GxoSandbox
from connectors.gxo.warehouse import Settings, connect
from connectors.gxo.x12 import Separators, parse
from connectors.kit.clock import ManualClock
from connectors.kit.errors import BadDocument
from connectors.kit.files import FilesSettings
from connectors.kit.rehearsal import frames
from connectors.ports import Inbound, Message
from contracts.effects import Acknowledgement, NoticeLine, ReceiptNotice, ReturnNotice, SetAnswer
from tests.connectors.x12_kit import AT, EXAMPLES, advice, from_partner, profile, recipient, request, w12

AUTHORED = Path(__file__).resolve().parents[3] / "shared" / "specs" / "x12" / "authored"
PACKAGE = (("LX", "1"), ("MAN", "CP", "1Z1"))
GOOD = advice(*PACKAGE, w12("A", 1), total=1)
BOMB_SECONDS = 30  # of this process's own time; each takes a few on two slow cores, and minutes to hours if work grows with the square


def read(body: bytes, **changes: Any) -> list[Message]:
    port = connect("gxo", Settings(partner=profile(**changes), files=FilesSettings(kind="folder", path=".")), ManualClock())
    return port.read(Inbound("gxo", "file.edi", body))


def refusal(body: bytes, **changes: Any) -> str:
    with pytest.raises(BadDocument) as raised:
        read(body, **changes)
    return raised.value.got


def rows_of(messages: list[Message]) -> list[list[Any]]:
    return [row for m in messages for frame in frames(m) for row in frame.values.tolist()] + [a for m in messages for a in m.acknowledgements]


def every_truncation_is_refused(body: bytes, **changes: Any) -> None:
    """Every prefix but those that lack nothing beyond the last terminator: a line end is no content."""
    whole = len(body.rstrip(b"\r\n"))
    for end in range(whole):
        with pytest.raises(BadDocument):
            read(body[:end], **changes)
    for end in range(whole, len(body) + 1):
        assert rows_of(read(body[:end], **changes)) == rows_of(read(body, **changes))


# cut off

@pytest.mark.skipif(not AUTHORED.is_dir(), reason="the shared X12 documents are not here")
@pytest.mark.parametrize("path", sorted(AUTHORED.glob("*.edi")), ids=lambda path: path.stem)
def test_no_truncation_of_an_authored_document_is_ever_taken_in_part(path: Path) -> None:
    isa = parse(path.read_bytes())[0]
    every_truncation_is_refused(path.read_bytes(), our_id=isa.receiver, partner_id=isa.sender)


def test_no_truncation_of_our_own_documents_is_ever_taken_in_part() -> None:
    turned = {"our_id": "GXOWH01", "partner_id": "MERCHANT"}
    answer = Acknowledgement(warehouse="gxo", partner_control="000000201", group_code="SW", group_number="201", status="A",
                             sets=[SetAnswer(set_id="945", set_number="0001", accepted=True)])
    lines = [NoticeLine(number=1, sku="a", warehouse_sku="A", quantity=2, unit="EA", reason="Too short")]
    announced = ReturnNotice(connection="bc", order_id="1", rma="RMA-7", reference="UK-1", warehouse="gxo", facility="WH01", approved_on="2026-01-15", lines=lines)
    coming = ReceiptNotice(warehouse="gxo", facility="WH01", reference="ASN-1", expected_on="2026-01-20", lines=lines)
    for body in (*(order_document(status, request(), recipient(), profile(), 42, AT) for status in (NEW, CHANGE, CANCEL)),
                 acknowledgement_document(answer, profile(), 7, AT), return_document(announced, profile(), 8, AT), receipt_document(coming, profile(), 9, AT)):
        every_truncation_is_refused(body, **turned)


def outbound_of_the_sandbox(folder: Path) -> Iterator[bytes]:
    clock, agreed = ManualClock(), profile()
    sandbox = GxoSandbox(folder, clock, agreed, {"SKU-A", "SKU-B"}, {"WH01"}, kinds={"partial": 1, "packages": 1}, stock={"WH01": {"SKU-A": 30, "SKU-B": 9}})
    for n in range(1, 5):
        (folder / "inbound" / f"940_{n}.edi").write_bytes(order_document(NEW, request(reference=f"UK-{n}"), recipient(), agreed, n, AT))
    sandbox.state_stock()
    sandbox.receive("WH01", [("SKU-A", 20)], "ASN-1")
    sandbox.adjust("WH01", {"SKU-A": -2})
    sandbox.receive_return("UK-1", [("SKU-A", 1, "A")], "RMA-7")
    for _ in range(5):
        sandbox.step()
        clock.sleep(60)
    yield from (path.read_bytes() for path in sorted((folder / "outbound").iterdir()))


def test_no_truncation_of_what_the_sandbox_writes_is_ever_taken_in_part(tmp_path: Path) -> None:
    bodies = list(outbound_of_the_sandbox(tmp_path))
    assert sorted({parse(body)[0].groups[0].sets[0].set_id for body in bodies}) == ["846", "944", "945", "947", "997"]
    for body in bodies:
        every_truncation_is_refused(body)


def test_of_two_interchanges_in_one_file_the_whole_one_waits_for_the_cut_one() -> None:
    body = from_partner(GOOD, control=1) + from_partner(GOOD, control=2)
    first = len(from_partner(GOOD, control=1))
    for end in range(first + 1, len(body.rstrip())):
        with pytest.raises(BadDocument):
            read(body[:end])
    assert len(read(body)) == 2


# forged, swapped, for others

@pytest.mark.parametrize(("old", "new", "says"), [
    (b"SE*9*0001~", b"SE*8*0001~", "segment 11 (SE): it counts '8' segments, there are 9"),
    (b"SE*9*0001~", b"SE*9*0009~", "segment 11 (SE): its control number '0009' is not ST02 '0001'"),
    (b"GE*1*201~", b"GE*3*201~", "segment 12 (GE): it counts '3' transaction sets, there are 1"),
    (b"GE*1*201~", b"GE*1*9~", "segment 12 (GE): its control number '9' is not GS06 '201'"),
    (b"IEA*1*000000201~", b"IEA*4*000000201~", "segment 13 (IEA): it counts '4' functional groups, there are 1"),
    (b"IEA*1*000000201~", b"IEA*1*000000999~", "segment 13 (IEA): its control number '000000999' is not ISA13 '000000201'"),
    (b"*ZZ*GXOWH01 ", b"*ZZ*GXOWH99 ", "segment 1 (ISA): it is from 'ZZ/GXOWH99' to 'ZZ/MERCHANT', not between us and the partner"),
    (b"*ZZ*GXOWH01 ", b"*01*GXOWH01 ", "segment 1 (ISA): it is from '01/GXOWH01' to 'ZZ/MERCHANT', not between us and the partner"),
    (b"*ZZ*MERCHANT", b"*ZZ*MERCHANX", "segment 1 (ISA): it is from 'ZZ/GXOWH01' to 'ZZ/MERCHANX', not between us and the partner"),
    (b"*ZZ*MERCHANT", b"*14*MERCHANT", "segment 1 (ISA): it is from 'ZZ/GXOWH01' to '14/MERCHANT', not between us and the partner"),
    (b"*T*>~", b"*P*>~", "segment 1 (ISA): it is marked 'P' (ISA15) and this account is 'T'"),
])
def test_an_envelope_fault_refuses_the_file_and_names_segment_and_reason(old: bytes, new: bytes, says: str) -> None:
    body = from_partner(GOOD)
    assert body.count(old) == 1 and len(read(body)) == 1
    assert refusal(body.replace(old, new)) == says


def test_swapped_envelopes_are_refused() -> None:
    one, two = from_partner(GOOD, control=1), from_partner(GOOD, control=2)
    swapped = one.replace(b"IEA*1*000000001~", b"IEA*1*000000002~") + two.replace(b"IEA*1*000000002~", b"IEA*1*000000001~")
    assert refusal(swapped) == "segment 13 (IEA): its control number '000000002' is not ISA13 '000000001'"
    lines = one.splitlines(keepends=True)
    assert refusal(b"".join([lines[-1], *lines[1:-1], lines[0]])) == "it is not X12, and the partner profile has no CSV advice"
    with pytest.raises(BadDocument, match=r"segment 1 \(ISA\): an interchange must begin with ISA"):
        parse(b"".join([lines[-1], *lines[1:-1], lines[0]]))
    assert refusal(b"".join([*lines[:3], lines[-2], *lines[3:-2], lines[-1]])) == "segment 4 (GE): the set that began at segment 3 has no SE"


def test_a_doubled_set_number_refuses_the_file_and_names_the_group() -> None:
    body = from_partner(GOOD, GOOD).replace(b"ST*945*0002~", b"ST*945*0001~").replace(b"SE*9*0002~", b"SE*9*0001~")
    assert refusal(body) == "segment 21 (GE): the set control number ST02 is used twice in it"


def test_our_own_940_that_comes_back_to_us_is_refused() -> None:
    assert "not between us and the partner" in refusal(order_document(NEW, request(), recipient(), profile(), 42, AT))


def test_the_second_interchange_of_a_file_is_held_against_the_profile_too() -> None:
    body = from_partner(GOOD, control=1) + from_partner(GOOD, control=2, sender="SOMEBODY")
    assert refusal(body).startswith("segment 14 (ISA): it is from 'ZZ/SOMEBODY'")


@pytest.mark.parametrize(("changes", "head", "says"), [
    ({}, {"group_sender": "DOCK7", "group_receiver": "ERP"}, ""),
    ({"partner_group_id": "DOCK7", "our_group_id": "ERP"}, {"group_sender": "DOCK7", "group_receiver": "ERP"}, ""),
    ({"partner_group_id": "DOCK7"}, {"group_sender": "DOCK8"},
     "segment 2 (GS element 02): the group is not between us and the partner, by the profile's group ids"),
    ({"our_group_id": "ERP"}, {"group_receiver": "CRM"},
     "segment 2 (GS element 03): the group is not between us and the partner, by the profile's group ids"),
])
def test_group_ids_count_where_the_profile_has_them(changes: dict[str, str], head: dict[str, str], says: str) -> None:
    body = from_partner(GOOD, **head)
    if says:
        assert refusal(body, **changes) == says
    else:
        assert read(body, **changes)[0].errors == []


@pytest.mark.skipif(not AUTHORED.is_dir(), reason="the shared X12 documents are not here")
@pytest.mark.parametrize(("name", "says"), [
    ("180_rma", "set 180 is not read (returns, without return_advice in the profile)"), ("943_inbound_asn", "set 943 is not read (inbound advice)"),
    ("940_new", "set 940 is not one that this partner sends us"),
])
def test_a_set_that_is_not_read_is_refused_with_its_name_and_a_997_says_so(name: str, says: str) -> None:
    body = (AUTHORED / f"{name}.edi").read_bytes()
    isa = parse(body)[0]
    message = read(body, our_id=isa.receiver, partner_id=isa.sender)[0]
    assert message.errors == [f"set {name[:3]} 0001: segment 3 (ST): {says}"]
    assert message.dispatches is None and not message.acknowledgements
    assert (message.answer["status"], message.answer["sets"][0]["codes"]) == ("R", ["1"])


def test_what_the_inbox_needs_the_same_numbers_with_other_bytes_have_the_same_keys_and_other_rows() -> None:
    one, other = from_partner(GOOD, GOOD), from_partner(GOOD, advice(*PACKAGE, w12("A", 2), total=2))
    assert [m.key for m in read(one)] == [m.key for m in read(one)] == [m.key for m in read(other)] and len({m.key for m in read(one)}) == 2
    assert rows_of(read(one)) == rows_of(read(one)) != rows_of(read(other))
    assert {m.key for m in read(one)}.isdisjoint(m.key for m in read(from_partner(GOOD, control=202)))


# hostile

SAMPLES = [path.read_bytes() for path in sorted([*EXAMPLES.glob("*.edi"), *(path for path in EXAMPLES.glob("*.csv") if path.name.count(".") == 1)])]
PIECES = [b"~", b"*", b">", b"ISA", b"IEA*1*000000201~", b"SE*1*0001~", b"\xff\xfe", b"\x00", b"\r\n", b"ST*945*0001~", b"LX*1~",
          b"W12*CC*99999999999*9~", b",", b'"', b"MAN*CP*1~", b"W03*-1~", b"9" * 30, b"\xd9\xa1", b"\xc2\xb2"]


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_mutated_files_give_messages_or_a_bad_document_and_nothing_else(data: st.DataObject) -> None:
    body = bytearray(data.draw(st.sampled_from(SAMPLES)))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(body)))
        length = data.draw(st.integers(0, 30))
        body[at:at + length] = data.draw(st.one_of(st.sampled_from(PIECES), st.binary(max_size=6), st.just(bytes(body[at:at + length]) * 2)))
    try:
        messages = read(bytes(body), return_advice={}, **CSV)
    except BadDocument as error:
        assert error.got and error.got.isprintable()
        return
    assert all(bool(m.errors) != (bool(frames(m)) or bool(m.acknowledgements)) for m in messages)


elements = st.text(st.sampled_from("0123456789.-ABCEINSWZ "), max_size=14)
segments = st.lists(st.tuples(st.sampled_from(["W06", "N1", "N9", "G62", "W27", "LX", "MAN", "W12", "W03", "AK1", "AK2", "AK3", "AK4", "AK5", "AK9", "BIA",
                                               "LIN", "QTY", "CTT", "W15", "W19", "W17", "W07", "W13", "W14", "BGN", "BLI", "DTM"]),
                              *[elements] * 9), max_size=14)
NEARLY_846 = [("BIA", "00", "DD", "I", "20260101"), ("N1", "WH", "", "92", "WH"), ("LIN", "", "SK", "A")]
NEARLY_944 = [("W17", "C", "20260101", "R"), ("N1", "WH", "", "92", "WH"), ("W07", "0", "EA", "", "SK", "A"), ("W13", "0", "EA", "01")]


@settings(max_examples=300, deadline=None)
@given(segments, st.sampled_from([("945", "SW"), ("997", "FA"), ("846", "IB"), ("944", "RE"), ("947", "AW"), ("180", "AN")]))
@example([*NEARLY_846, ("QTY", "33", "99999999999999.9")], ("846", "IB"))
@example([*NEARLY_846, ("QTY", "33")], ("846", "IB"))
@example([*NEARLY_846, ("QTY", "33", "1"), ("CTT", "-1", "1.")], ("846", "IB"))
@example([*NEARLY_944, ("W14", "0")], ("944", "RE"))
@example([("BGN", "00", "R", "20260101"), ("N1", "ST", "", "92", "WH"), ("BLI", "SK", "A")], ("180", "AN"))
@example([("W06", "F", "R", "20260101", "S"), ("N1", "WH", "", "92", "W"), ("LX", "1"),
          ("W12", "CC", "", "", "", "EA", "", "SK", "A")], ("945", "SW"))
def test_a_sound_envelope_around_nonsense_gives_errors_and_no_exception(body: list[tuple[str, ...]], kind: tuple[str, str]) -> None:
    messages = read(from_partner((kind[0], body), group=kind[1]), return_advice={})
    assert all(bool(m.errors) != (bool(frames(m)) or bool(m.acknowledgements)) for m in messages)


ISA = from_partner(GOOD, line_end="")[:106]


def one_lx(*rows: tuple[str, ...]) -> bytes:
    return from_partner(advice(("LX", "1"), *rows), line_end="")


BOMBS = {
    "too many bytes": ("more than the 20000000 we read", lambda: ISA + b"N" * 20_000_000),
    "too many segments": ("more than 500000 segments", lambda: ISA + b"TA1*1~" * 500_000 + b"IEA*0*000000201~"),
    "too many elements": ("more than 200 elements", lambda: ISA + b"GS" + b"*" * 201 + b"~"),
    "elements without end": ("more than 200 elements", lambda: ISA + b"GS" + b"*" * 19_000_000 + b"~"),
    "no terminator": ("the file ends inside a segment", lambda: ISA + b"A" * 19_000_000),
    "only line ends": ("it is not X12", lambda: b"\n" * 19_000_000),
    "many parcels on many lines of one LX": ("", lambda: one_lx(*(("MAN", "CP", f"T{n}") for n in range(10_000)), *[w12("A", 1)] * 10_000)),
    "many interchanges": ("", lambda: b"".join(ISA.replace(b"000000201", b"%09d" % n) + b"TA1*%09d*260115*0930*A*000~IEA*0*%09d~" % (n, n)
                                              for n in range(1, 10_001))),
    "a long header over many adjustments": ("", lambda: from_partner(("947", [
        ("W15", "20260115", "A", "A"), *(row for n in range(100) for row in (("N1", "WH", "", "92", "WH01"), *[("PER", "CN", "X")] * 5)),
        *[("W19", "AA", "1", "EA", "", "SK", "A")] * 50_000]), group="AW", line_end="")),
    "a long header over many returned lines": ("", lambda: from_partner(("180", [
        ("BGN", "00", "R", "20260115"), *(row for n in range(200) for row in (("N1", "WH", "", "92", "WH01"), *[("PER", "CN", "X")] * 5)),
        *[("BLI", "SK", "A", "1", "EA")] * 50_000]), group="AN", line_end="")),
    "a statement of as many lines as a set may hold": ("", lambda: from_partner(*[("846", [
        ("BIA", "00", "DD", "I", "20260115"), ("N1", "WH", "", "92", "WH01"),
        *(row for n in range(10_000) for row in (("LIN", "", "SK", f"S{n}"), ("QTY", "33", "1")))])] * 5, group="IB", line_end="")),
    "many bad sets": ("", lambda: from_partner(*[("846", [("BIA", "00")])] * 5_000)),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_or_read_in_bounded_time(name: str) -> None:
    """A 945 of 143 kB with 4,000 parcels and 4,000 lines in one LX once took nine seconds, and one of the allowed 20 MB would have taken hours:
    every line looked at every parcel."""
    says, make = BOMBS[name]
    body, start = make(), time.process_time()
    if says:
        assert says in refusal(body)
    else:
        assert all(bool(m.errors) == (name == "many bad sets") for m in read(body, return_advice={}))
    assert time.process_time() - start < BOMB_SECONDS


def test_many_parcels_and_lines_of_one_lx_keep_every_unit_and_every_tracking_number() -> None:
    units = [n % 4 for n in range(60)]
    packed = [("LX", "1"), *(("MAN", "CP", f"T{n}") for n in range(40)), *(w12(f"S{n}", u, u or 1) for n, u in enumerate(units))]
    frame = read(from_partner(advice(*packed, total=sum(units))))[0].dispatches
    assert frame.groupby("sku")["quantity"].sum().to_dict() == {f"S{n}": u for n, u in enumerate(units)}
    by_parcel = frame[frame["quantity"] > 0].groupby("tracking_number")["quantity"].sum()
    assert set(by_parcel.index) == {f"T{n}" for n in range(40)} and by_parcel.max() - by_parcel.min() <= 1


def test_separators_of_other_kinds_pass_through_the_port() -> None:
    body = from_partner(GOOD, separators=Separators("|", ":", "'"))
    assert rows_of(read(body)) == rows_of(read(from_partner(GOOD)))
