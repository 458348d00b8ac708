"""From the bytes of a file to UTF-8 text with its header found: compression, encodings, line ends, separators. Tolerant about form; nothing is left out."""

import io
import re
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field

from connectors.kit import links
from connectors.kit.errors import BadDocument
from connectors.kit.http import ReadFailed

BYTES_MAX = 4 << 30
_LOOK_LINES = 20  # the header is the first line, or follows a few lines of words
_SEPARATORS = ("\t", ";", ",", "|")
_UTF8_BOM, _UTF16 = b"\xef\xbb\xbf", {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}


@dataclass(frozen=True)
class Text:
    """A file as text: `body` begins after the header. first_line: the number of the file's line at which it begins. notes: what was put up with."""

    body: memoryview
    header: tuple[str, ...]
    separator: str
    is_quoted: bool
    first_line: int
    is_cut: bool = False
    notes: tuple[str, ...] = field(default=())


def unpacked(name: str, body: bytes) -> list[tuple[str, bytes]]:
    """The file itself, or what is in it: gzip, or a zip of several. Raises BadDocument for what cannot be unpacked whole."""
    doing = f"unpacking {name}"
    try:
        if body[:2] == b"\x1f\x8b":
            return [(name, links.unpacked(doing, body, BYTES_MAX))]
        if body[:4] == b"PK\x03\x04":
            with zipfile.ZipFile(io.BytesIO(body)) as archive:
                parts = [part for part in archive.infolist() if not part.is_dir() and not part.filename.startswith("__MACOSX/")]
                if any(part.filename == "[Content_Types].xml" for part in parts):
                    raise BadDocument(f"reading {name}", "it is a spreadsheet (XLSX)", "Give the file as it was downloaded; a spreadsheet changes ids and dates.")
                _check_sizes(doing, parts)
                return [(f"{name}/{part.filename}", archive.read(part)) for part in parts]
    except ReadFailed as error:
        raise BadDocument(doing, error.got, "Download it again.") from None
    except (OSError, EOFError, ValueError, zlib.error, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise BadDocument(doing, f"it is damaged or cut off ({error})", "Download it again.") from None
    return [(name, body)]


def _check_sizes(doing: str, parts: list[zipfile.ZipInfo]) -> None:
    """Nothing is unpacked that would be a bomb. (A part never gives more than the size that the archive says it has.)"""
    unpacks_to, packed = sum(part.file_size for part in parts), sum(part.compress_size for part in parts)
    if unpacks_to > BYTES_MAX or unpacks_to > links.RATIO_FROM and unpacks_to > links.RATIO_MAX * packed:
        raise BadDocument(doing, f"it unpacks to {unpacks_to} bytes, from {packed}", "Give the files in it.")


def as_text(name: str, body: bytes, is_header: Callable[[list[str]], bool]) -> Text:
    """The text with its header. `is_header` says whether the cells of a line are one. Raises BadDocument when there is none."""
    body, encoding, is_cut = _decoded(body)
    notes = [] if encoding in ("ascii", "utf-8") else [f"it is in {encoding}"]
    start, line = 0, 0
    for line in range(1, _LOOK_LINES + 1):
        end = _line_end(body, start)
        words = body[start:end].decode("utf-8", "replace")
        separator, cells = _cells(words)
        if is_header(cells):
            start = _next(body, end)
            return Text(memoryview(body)[start:], tuple(cells), separator, '"' in words or separator in ",;", line + 1, is_cut, tuple(notes))
        if end >= len(body):
            break
        start = _next(body, end)
    raise BadDocument(f"reading {name}", "it has no line with a settlement file's column names",
                      "Give the settlement file as it was downloaded (flat file, V2 or V1).")


def _decoded(body: bytes) -> tuple[bytes, str, bool]:
    """UTF-8 bytes, what they were, and whether the file ends within a character."""
    if body.startswith(_UTF8_BOM):
        body = body[3:]
    elif body[:2] in _UTF16 or b"\0" in body[:64]:
        return _from_utf16(body)
    if body.isascii():
        return body, "ascii", False
    try:
        body.decode("utf-8")
        return body, "utf-8", False
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data" and error.end == len(body) and not body[:error.start].isascii():
            return body[:error.start], "utf-8", True
    for encoding in (*(["cp932"] if re.search(rb"JPY|\.co\.jp", body) else []), "cp1252"):
        try:
            return body.decode(encoding).encode(), encoding, False
        except UnicodeDecodeError:
            continue
    return body.decode("latin-1").encode(), "latin-1", False


def _from_utf16(body: bytes) -> tuple[bytes, str, bool]:
    encoding = _UTF16.get(body[:2]) or ("utf-16-be" if body[:1] == b"\0" else "utf-16-le")
    body = body[2:] if body[:2] in _UTF16 else body
    try:
        return body.decode(encoding).encode(), encoding, False
    except UnicodeDecodeError:
        return body[: len(body) // 2 * 2].decode(encoding, "replace").encode(), encoding, True


def _cells(line: str) -> tuple[str, list[str]]:
    separator = max(_SEPARATORS, key=line.count)
    return separator, [cell.strip().strip('"').strip() for cell in line.split(separator)]


def _line_end(body: bytes, start: int) -> int:
    ends = [found for found in (body.find(b"\n", start), body.find(b"\r", start, start + 65536)) if found >= 0]
    return min(ends, default=len(body))


def _next(body: bytes, end: int) -> int:
    return end + (2 if body[end:end + 2] == b"\r\n" else 1)
