"""What a door is, and what is asked of it for one document."""

import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from connectors.kit.errors import WharfingerError


def nothing(came: Any) -> Iterable[str]:
    """No judge: that it came back at all is what is asked."""
    return ()


def no_parts(came: Any) -> Iterable[Any]:
    """What came has no parts that could be compared."""
    return ()


@dataclass(frozen=True)
class Door:
    """One way in.

    read: gives what was let in, or raises one of `refuses`. samples: whole documents. form: how mutants are made (tests/fuzz/mutants.py).
    covers: the product's functions behind it, as 'module:name'. judge: what is wrong with what was let in. is_ended: a document says where it ends, so
    that no beginning of it is let in; else the `parts` of a beginning must be parts of the whole. seconds_max: for one document.
    """

    name: str
    read: Callable[[bytes], Any]
    samples: Callable[[], list[bytes]]
    form: str
    covers: tuple[str, ...] = ()
    judge: Callable[[Any], Iterable[str]] = nothing
    refuses: tuple[type[BaseException], ...] = (WharfingerError,)
    is_ended: bool = False
    parts: Callable[[Any], Iterable[Any]] = no_parts
    seconds_max: float = 2.0
    cost: int = 1  # in the short form so many times fewer mutants

    @cached_property
    def whole(self) -> list[bytes]:
        """The samples, read once. Raises AssertionError when there are none."""
        found = list(dict.fromkeys(self.samples()))
        assert found, f"{self.name} has no samples"
        with suppress(*self.refuses):
            self.read(found[0])  # what is made once is made now, and not on the first document's account
        return found

    def try_out(self, body: bytes) -> tuple[str, Any]:
        """(what is wrong, or ''; what was let in, or the error with which it was refused)."""
        began = time.process_time()  # other processes' work is not this document's fault
        try:
            came = self.read(body)
        except self.refuses as error:
            came = error
        except Exception as error:
            return f"{type(error).__name__}: {str(error)[:200]}", error
        seconds = time.process_time() - began
        if seconds > self.seconds_max:
            return f"it took {seconds:.1f} s", came
        if isinstance(came, BaseException):
            return "", came
        try:
            wrong = "; ".join(self.judge(came))
        except Exception as error:
            return f"the judge could not judge: {type(error).__name__}: {str(error)[:200]}", came
        return wrong, came

    def try_beginning(self, sample: bytes, end: int) -> str:
        """What is wrong with how the first `end` bytes of a sample are taken; ''. A beginning without its last line end is the whole."""
        wrong, came = self.try_out(sample[:end])
        if wrong or isinstance(came, BaseException) or not sample[end:].strip(b" \r\n"):
            return wrong
        if self.is_ended:
            return "a beginning of the document was let in"
        more = Counter(self.parts(came)) - self._whole_parts(sample)
        return f"of a beginning, this was let in, which the whole does not say: {list(more)[:2]}" if more else ""

    def _whole_parts(self, sample: bytes) -> Counter:
        known = self.__dict__.setdefault("_parts", {})
        if sample not in known:
            came = self.try_out(sample)[1]
            known[sample] = Counter() if isinstance(came, BaseException) else Counter(self.parts(came))
        return known[sample]
