"""What a partner profile is made of: paths, folder and file names, qualifiers. A wrong one is an error that says how it is written.

A *path* says where a value stands in a set: `W06-02` is element 2 of W06; `MAN*CP` is the value that MAN qualifies with CP;
`N1*WH-04` is element 4 of the N1 whose first element is WH.
"""

import re
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints

from connectors.kit.errors import BadConfiguration
from connectors.kit.exchange import folder_parts

_PATH = re.compile(r"([A-Z][A-Z0-9]{1,2})(?:\*([A-Z0-9]{1,3}))?(?:-([0-9]{2}))?")
_FILE_NAME = re.compile(r"(?!\.)(?:[A-Za-z0-9._-]|\{(?:set|sender|receiver|control)\})+")


def path_parts(path: str) -> tuple[str, str, int]:
    """'N1*WH-04' -> ('N1', 'WH', 4); without an element the value stands right after its qualifier (0)."""
    found = _PATH.fullmatch(path)
    if not found or not (found[2] or found[3]):
        raise ValueError("a path is SEG-NN, SEG*QUALIFIER or SEG*QUALIFIER-NN, as in W06-02, MAN*CP, N1*WH-04")
    return found[1], found[2] or "", int(found[3] or 0)


def _path(value: str) -> str:
    path_parts(value)
    return value


def _folder(value: str) -> str:
    if not value:
        raise ValueError("a folder needs a name")
    return _folder_or_none(value)


def _folder_or_none(value: str) -> str:
    try:
        folder_parts(value)
    except BadConfiguration as error:
        raise ValueError(error.got) from None
    return value


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, OSError):
        raise ValueError("no such time zone; it is named like Europe/London") from None
    return value


def _file_name(value: str) -> str:
    if not _FILE_NAME.fullmatch(value) or "{control}" not in value or "{set}" not in value:
        raise ValueError("a file name pattern holds {set} and {control}, and else letters, digits, '.', '_', '-', {sender}, {receiver}")
    return value


Path = Annotated[str, AfterValidator(_path)]
FolderName = Annotated[str, AfterValidator(_folder)]
FolderOrNone = Annotated[str, AfterValidator(_folder_or_none)]
FileName = Annotated[str, AfterValidator(_file_name)]
Zone = Annotated[str, AfterValidator(_zone)]
Qualifier = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{1,3}$")]
Code2 = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{2}$")]
PartyId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9 ._&/-]{1,15}$", strip_whitespace=True)]


class Strict(BaseModel):
    """A wrong key in a profile is an error, not a shrug."""

    model_config = ConfigDict(extra="forbid", frozen=True)
