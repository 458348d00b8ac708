"""The X12 codec: whole and consistent, or refused with segment and reason; never anything else."""

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
import pyx12.x12file
import x12 as ansi_x12
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from connectors.gxo import x12, x12_table
from connectors.gxo.mapping_order import CANCEL, CHANGE, NEW, order_document
from connectors.gxo.x12 import Segment, Separators, parse
from connectors.gxo.x12_write import Envelope, Unwritable, at_least, code, text, wrap, write
from connectors.kit.errors import BadDocument
from tests.connectors.x12_kit import AT, EXAMPLES, from_partner, profile, recipient, request, samples

FACTS = Path(__file__).resolve().parents[3] / "shared" / "specs" / "x12" / "x12_004010_segments.json"
AUTHORED = Path(__file__).resolve().parents[3] / "shared" / "specs" / "x12" / "authored"
SEPARATORS = Separators("*", ">", "~")
SAMPLE = (EXAMPLES / "acknowledgement-refused.edi").read_bytes()
each_sample = pytest.mark.parametrize("path", samples(), ids=lambda path: path.name)


def refusal(body: bytes) -> str:
    with pytest.raises(BadDocument) as raised:
        parse(body, "a file")
    return raised.value.got


@each_sample
def test_our_samples_are_read_and_break_no_rule_of_4010(path: Path) -> None:
    documents = [s for interchange in parse(path.read_bytes()) for g in interchange.groups for s in g.sets]
    assert documents
    assert [fault for s in documents if s.set_id in x12_table.SETS for fault in x12_table.faults(s.set_id, s.segments)] == []


@each_sample
def test_every_truncation_of_every_sample_is_refused(path: Path) -> None:
    body = path.read_bytes()
    whole = len(body.rstrip(b"\r\n"))
    for end in range(whole):
        with pytest.raises(BadDocument):
            parse(body[:end])
    assert parse(body[:whole]) == parse(body)


@pytest.mark.parametrize("line_end", ["", "\n", "\r\n"])
@pytest.mark.parametrize("separators", [SEPARATORS, Separators("|", ":", "\n"), Separators("\x1d", "\x1f", "\x1c"), Separators("^", "<", "\r")])
def test_separators_are_read_from_the_file_and_never_assumed(separators: Separators, line_end: str) -> None:
    body = from_partner(("997", [("AK1", "OW", "7"), ("AK9", "A", "1", "1", "1")]), group="FA", line_end=line_end)
    table = bytes.maketrans(b"*>~", "".join(separators).encode())
    interchange = parse(body.translate(table))[0]
    assert interchange.separators == separators
    assert [s.elements for s in interchange.groups[0].sets[0].segments] == [("OW", "7"), ("A", "1", "1", "1")]


@pytest.mark.parametrize(("old", "new", "says"), [
    (b"SE*10*0001~", b"SE*9*0001~", "segment 12 (SE): it counts '9' segments, there are 10"),
    (b"SE*10*0001~", b"SE*10*0002~", "segment 12 (SE): its control number '0002' is not ST02 '0001'"),
    (b"SE*10*0001~", b"SE*10~", "segment 12 (SE): a trailer has two elements"),
    (b"SE*10*0001~", b"SE*\xb2*0001~", "segment 12 (SE): it counts (unreadable) segments, there are 10"),
    (b"GE*1*201~", b"GE*2*201~", "segment 13 (GE): it counts '2' transaction sets, there are 1"),
    (b"GE*1*201~", b"GE*1*202~", "segment 13 (GE): its control number '202' is not GS06 '201'"),
    (b"IEA*1*000000201~", b"IEA*2*000000201~", "segment 14 (IEA): it counts '2' functional groups, there are 1"),
    (b"IEA*1*000000201~", b"IEA*1*000000202~", "segment 14 (IEA): its control number '000000202' is not ISA13 '000000201'"),
    (b"IEA*1*000000201~", b"IEA*1*201~", "segment 14 (IEA): its control number '201' is not ISA13 '000000201'"),
    (b"LX*1~", b"LX*1~\nST*945*0002~", "segment 8 (ST): the set that began at segment 3 has no SE"),
    (b"LX*1~", b"LX*1~~", "segment 8 (?): this is no segment id"),
    (b"LX*1~", b"LX*1\x00~", "segment 7 (LX): a control character inside the segment"),
    (b"LX*1~", b"LX" + b"*1" * 201 + b"~", "segment 7 (LX): more than 200 elements"),
    (b"*20260115*", b"*20261315*", "segment 2 (GS): GS04/GS05 are no date and time"),
    (b"*260115*", b"*261315*", "segment 1 (ISA): ISA09/ISA10 are no date and time"),
    (b"ISA*00*", b"ISA*0*0", "segment 1 (ISA): its elements do not have the fixed widths"),
    (b"*T*>~", b"*T*A~", "segment 1 (ISA): its separators cannot be told from text or from each other"),
    (b"*T*>~", b"*T*~~", "segment 1 (ISA): its separators cannot be told from text or from each other"),
    (b"GS*SW", b"LX*1~\nGS*SW", "segment 2 (LX): expected GS or IEA"),
    (b"ST*945", b"LX*1~\nST*945", "segment 3 (LX): expected ST or GE"),
])
def test_a_fault_is_named_by_segment_and_reason(old: bytes, new: bytes, says: str) -> None:
    body = from_partner(("945", [("W06", "F", "SO-1", "20260116", "SHP-1"), ("N1", "WH", "", "92", "WH01"), ("W27", "M", "UPSN"), ("LX", "1"),
                                 ("MAN", "CP", "1Z"), ("W12", "CC", "1", "1", "", "EA", "", "SK", "A"), ("N9", "LI", "1"), ("W03", "1")]))
    assert body.count(old) == 1
    assert parse(body)
    assert refusal(body.replace(old, new)) == says


@pytest.mark.parametrize(("body", "says"), [
    (b"", "it holds no interchange"), (b"\r\n\n", "it holds no interchange"), (b"<html>Please wait</html>", "segment 1 (ISA): an interchange must begin with ISA"),
    (b"\xef\xbb\xbf" + SAMPLE, "segment 1 (ISA): an interchange must begin with ISA"), (b"\x00" * 500, "segment 1 (ISA): an interchange must begin with ISA"),
    (b"x" * 20_000_001, "it has 20000001 bytes, more than the 20000000 we read"), (SAMPLE + b"rubbish", "segment 13 (ISA): an interchange must begin with ISA"),
])
def test_what_is_no_x12_is_refused(body: bytes, says: str) -> None:
    assert refusal(body) == says


def test_a_million_segments_are_refused_before_they_fill_the_memory() -> None:
    isa = from_partner(("997", [("AK1", "OW", "1")]), group="FA")[:107]
    assert "more than 500000 segments" in refusal(isa + b"TA1*1~" * 1_000_000)


def test_several_interchanges_groups_and_sets_in_one_file_are_all_read() -> None:
    one = from_partner(("997", [("AK1", "OW", "1"), ("AK9", "A", "1", "1", "1")]), ("997", [("AK1", "OW", "2"), ("AK9", "A", "1", "1", "1")]), group="FA", control=1)
    two = from_partner(("997", [("AK1", "OW", "3"), ("AK9", "A", "1", "1", "1")]), group="FA", control=2, line_end="")
    text_of_two_groups = two.replace(b"IEA*1*", two[two.index(b"GS*"):two.index(b"IEA*")].replace(b"*2*X*", b"*3*X*").replace(b"GE*1*2~", b"GE*1*3~") + b"IEA*2*")
    read = parse(one + text_of_two_groups)
    assert [[(g.control, [s.control for s in g.sets]) for g in i.groups] for i in read] == [[("1", ["0001", "0002"])], [("2", ["0001"]), ("3", ["0001"])]]


@pytest.mark.parametrize("what", ["ISA13", "GS06", "ST02"])
def test_a_control_number_that_is_used_twice_in_one_file_refuses_the_file(what: str) -> None:
    body = from_partner(("997", [("AK1", "OW", "1")]), ("997", [("AK1", "OW", "2")]), group="FA", line_end="")
    if what == "ISA13":
        body += body
    elif what == "GS06":
        body = body.replace(b"IEA*1*", body[body.index(b"GS*"):body.index(b"IEA*")] + b"IEA*2*")
    else:
        body = body.replace(b"ST*997*0002~", b"ST*997*0001~").replace(b"SE*3*0002~", b"SE*3*0001~")
    assert what in refusal(body) and "twice" in refusal(body)


def test_no_error_shows_what_a_segment_holds() -> None:
    """An address is in every 940; a document that is broken beside it must not put it into a log."""
    body = order_document(NEW, request(), recipient(), profile(), 1, AT)
    for start in range(106, len(body), 7):
        try:
            parse(body[:start] + b"\x01" + body[start:])
        except BadDocument as error:
            assert "zcanary" not in str(error).lower() and "77009" not in str(error)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_hostile_bytes_are_read_or_refused_and_nothing_else(data: st.DataObject) -> None:
    body = bytearray(data.draw(st.sampled_from([path.read_bytes() for path in samples()])))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(body) - 1))
        match data.draw(st.sampled_from(["change", "cut", "insert", "double"])):
            case "change":
                body[at] = data.draw(st.integers(0, 255))
            case "cut":
                del body[at:at + data.draw(st.integers(1, 40))]
            case "insert":
                body[at:at] = data.draw(st.sampled_from([b"~", b"*", b"ISA", b"SE*1*0001~", b"\xff", b"\x00", b"\r\n", b"ST*945*0001~"]))
            case "double":
                body[at:at] = body[at:at + 60]
        if not body:
            break
    try:
        for interchange in parse(bytes(body)):
            for group in interchange.groups:
                for document in group.sets:
                    x12_table.faults(document.set_id, document.segments)
    except BadDocument as error:
        assert error.got


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400))
@example(SAMPLE[:106] + b"GS*")
def test_any_bytes_at_all_are_refused_quietly(body: bytes) -> None:
    with pytest.raises(BadDocument):
        parse(body)


plain = st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters="*>~"), max_size=20).map(str.strip)


@settings(max_examples=150, deadline=None)
@given(rows=st.lists(st.tuples(st.sampled_from(["N9", "NTE", "W01", "G69", "LX"]), plain, plain, plain), max_size=12), control=st.integers(1, 999_999_999))
def test_what_is_written_is_read_back_the_same(rows: list[tuple[str, ...]], control: int) -> None:
    interchange = parse(from_partner(("945", rows), control=control))[0]
    assert int(interchange.control) == control
    for row, segment in zip(rows, interchange.groups[0].sets[0].segments, strict=True):
        assert segment.id == row[0] and [segment.at(n) for n in range(1, 4)] == list(row[1:])


@pytest.mark.parametrize("status", [NEW, CHANGE, CANCEL])
def test_our_940_is_accepted_by_two_independent_parsers(status: str) -> None:
    body = order_document(status, request(organisation="Boats Ltd"), recipient(company="Çelik & Söhne"), profile(), 42, AT)
    accepted_by_others(body)


@each_sample
def test_our_samples_are_accepted_by_two_independent_parsers(path: Path) -> None:
    accepted_by_others(path.read_bytes())


def accepted_by_others(body: bytes) -> None:
    reader = pyx12.x12file.X12Reader(io.StringIO(body.decode()))
    assert [segment.get_seg_id() for segment in reader] == [line.rstrip(body[105:106]).split(body[3:4])[0].decode() for line in body.splitlines()]
    reader.cleanup()
    assert reader.pop_errors() == []
    interchange = ansi_x12.parse_x12_interchange(ansi_x12.tokenize_x12(body))
    assert ansi_x12.inspect_x12_interchange(interchange).total_segment_count == len(body.splitlines())


@pytest.mark.skipif(not AUTHORED.is_dir(), reason="the shared X12 documents are not here")
def test_the_authored_documents_break_no_rule_of_4010() -> None:
    found = {document.set_id: x12_table.faults(document.set_id, document.segments) for path in sorted(AUTHORED.glob("*.edi"))
             for document in parse(path.read_bytes(), path.name)[0].groups[0].sets}
    assert found == dict.fromkeys(("180", "846", "940", "943", "944", "945", "947", "997"), [])


@pytest.mark.skipif(not FACTS.exists(), reason="the shared table of X12 004010 is not here")
def test_our_tables_of_elements_and_segments_say_what_the_published_ones_say() -> None:
    published = json.loads(FACTS.read_text())["segments"]
    types = {"N0": "N", "N2": "N"}
    for name, layout in x12_table.SEGMENTS.items():
        listed = published[name]
        assert layout.elements == tuple((e["element"], e.get("req") == "M") for e in listed["elements"]), name
        assert layout.notes == tuple(listed["syntax"]), name
        for element in listed["elements"]:
            ours = x12_table.ELEMENTS[element["element"]]
            if element["type"] == "composite":
                continue
            assert (ours.type, ours.shortest, ours.longest) == (types.get(element["type"], element["type"][:1] if element["type"][:1] == "R" else element["type"]),
                                                              element["min"], element["max"]), (name, element["element"])
            assert not ours.codes or ours.codes == frozenset(element["codes"]), (name, element["element"])


@pytest.mark.skipif(not FACTS.exists(), reason="the shared table of X12 004010 is not here")
@pytest.mark.parametrize("set_id", sorted({*x12_table.SETS} - {"940", "945"}))
def test_our_order_of_segments_is_the_published_one(set_id: str) -> None:
    """Not of 940 and 945: that their loops of lines must be there is told by the mapping, in the advice's own words."""
    published = json.loads(FACTS.read_text())["maps"][set_id]

    def listed(loop: str) -> list[tuple[str, int, bool, list[Any]]]:
        found = []
        for one in published[loop]:
            inner = listed(one["id"]) if one["id"].startswith("L_") else []
            most = min(one["max"], x12_table._MANY)
            found.append((inner[0][0], most, one["req"] == "M", inner[1:]) if inner else (one["id"], most, one["req"] == "M", []))
        return found

    def ours(slots: tuple[x12_table.Slot, ...]) -> list[tuple[str, int, bool, list[Any]]]:
        return [(slot.id, slot.longest, slot.mandatory, ours(slot.loop)) for slot in slots]

    assert ours(x12_table.SETS[set_id]) == listed(f"M_{set_id}")


@pytest.mark.parametrize(("old", "new", "says"), [
    ("W06*F*SO-1", "W06**SO-1", "segment 2 (W06 element 01): mandatory, and empty"),
    ("*20260116*", "*20261316*", "segment 2 (W06 element 03): not a date"),
    ("SO-1*", "S" * 23 + "*", "segment 2 (W06 element 02): 23 characters, at most 22 are allowed"),
    ("W12*CC*1*1*", "W12*CC*1*one*", "segment 6 (W12 element 03): not a number"),
    ("N1*WH**92*WH01~", "N1*WH**92~", "segment 3 (N1 element 04): breaks the syntax note P0304"),
    ("N1*WH**92*WH01~", "N1*WH~", "segment 3 (N1 element 02): breaks the syntax note R0203"),
    ("N1*WH**92*WH01~", "G62*11*20260116~", "segment 3 (N1): the mandatory segment is missing"),
    ("LX*1~", "LX*1~\nW27*M*UPSN~", "segment 5 (W27): not expected here in a 945"),
    ("LX*1~", "LX*1~\nPAL*1~\nPAL*1~", "segment 6 (PAL): more than 1 in this place"),
    ("LX*1~", "LX*1*2~", "segment 4 (LX element 02): 2 elements, at most 1 are known"),
])
def test_a_set_outside_4010_is_explained_by_segment_and_element(old: str, new: str, says: str) -> None:
    rows = "W06*F*SO-1*20260116*SHP-1~\nN1*WH**92*WH01~\nLX*1~\nMAN*CP*1Z~\nW12*CC*1*1**EA**SK*A~\nW03*1~"
    segments = [Segment(0, (parts := row.strip("~").split("*"))[0], tuple(parts[1:])) for row in rows.replace(old, new).splitlines()]
    assert str(x12_table.faults("945", segments)[0]) == says


def test_a_code_that_4010_does_not_list_is_a_note_and_not_a_refusal() -> None:
    found = x12_table.faults("997", [Segment(0, "AK1", ("OW", "1")), Segment(0, "AK9", ("Q", "1", "1", "1"))])
    assert [(str(f), f.is_note) for f in found] == [("segment 3 (AK9 element 01): a code that the 4010 table does not list", True)]


@pytest.mark.parametrize(("given_text", "written"), [
    ("Zoë Müller", "Zoe Muller"), ("Łukasz Żółć", "Lukasz Zolc"), ("Ærø, Straße 5", "AEro, Strasse 5".replace("AE", "Ae")), ("Иван Петров", "Ivan Petrov"),
    ("Γιώργος", "Giorgos"), ("A*B~C>D", "A B C D"), ("one\r\ntwo\x00\tthree", "one two three"), ("  a   b ", "a b"), ("50° “here” – now…", '50 "here" - now...'),
    ("李 Wei Chen", "? Wei Chen"), ("😀 thanks", "? thanks"), ("", ""), ("２０ Ｍａｉｎ", "20 Main"),
])
def test_text_becomes_plain_characters_without_delimiters(given_text: str, written: str) -> None:
    assert text(given_text, SEPARATORS, "N102") == written


@pytest.mark.parametrize("name", ["張偉", "محمد علي", "株式会社 A"])
def test_a_name_that_would_be_lost_is_refused_and_not_shown(name: str) -> None:
    with pytest.raises(Unwritable, match="N102: most of its letters") as raised:
        text(name, SEPARATORS, "N102")
    assert name not in str(raised.value)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60))
def test_text_never_leaves_printable_ascii_nor_keeps_a_delimiter(value: str) -> None:
    try:
        written = text(value, SEPARATORS, "N102")
    except Unwritable:
        return
    assert re.fullmatch(r"[ -~]*", written) and not set(written) & set(SEPARATORS) and written == written.strip()


@pytest.mark.parametrize("value", ["A*B", "A~", "é", "a\n", " a", "x" * 23])
def test_a_code_that_cannot_arrive_unchanged_is_refused(value: str) -> None:
    with pytest.raises(Unwritable, match="W05-02"):
        code(value, 22, SEPARATORS, "W05-02")


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text("abcdef", min_size=1, max_size=70), max_size=12), st.integers(5, 60))
def test_wrapping_loses_no_letter(words: list[str], width: int) -> None:
    lines = wrap(" ".join(words), width)
    assert all(len(line) <= width for line in lines) and "".join(lines).replace(" ", "") == "".join(words)


def test_short_values_are_padded_as_x12_asks() -> None:
    assert (at_least("Y", 2), at_least("", 2), at_least("ABC", 2)) == ("Y ", "", "ABC")


@pytest.mark.parametrize("control", [0, -1, 1_000_000_000])
def test_a_control_number_out_of_range_is_not_written(control: int) -> None:
    with pytest.raises(Unwritable, match="ISA13"):
        write(Envelope("ZZ", "A", "ZZ", "B", "A", "B", "T", control, AT), "OW", [])


def test_the_writer_is_the_last_guard_against_a_delimiter_in_a_value() -> None:
    with pytest.raises(Unwritable, match="N902: holds a delimiter"):
        from_partner(("945", [("N9", "LI", "1~W05*N*X")]))


def test_the_isa_we_write_is_106_characters_with_the_version_and_the_number_where_they_belong() -> None:
    body = from_partner(("997", [("AK1", "OW", "1")]), group="FA", control=7).decode()
    assert len(body.split("~")[0]) == x12.ISA_LENGTH - 1
    assert body[84:106] == "00401*000000007*0*T*>~"
