"""So many mutants of each door, and every beginning of every sample: reproducible by seed, one finding a line.

    python -m tests.fuzz.campaign --mutants 1000000 --seed 1 [--doors 'gxo *'] [--minutes 30]
    python -m tests.fuzz.campaign --doors 'gxo advice.csv' --seed 1 --only 4711      one mutant again, shown
"""

import argparse
import fnmatch
import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.fuzz.door import Door
from tests.fuzz.mutants import mutant

FINDINGS_MAX = 5
TOLD_EVERY = 10.0


@dataclass
class Finding:
    """One document that a door took as it should not. number: of the mutant; -1: a beginning of a sample."""

    door: str
    what: str
    body: bytes
    seed: int
    number: int = -1

    def __str__(self) -> str:
        where = f"--doors '{self.door}' --seed {self.seed} --only {self.number}" if self.number >= 0 else f"a beginning of {len(self.body)} bytes"
        return f"{self.door}: {self.what} [{where}] {self.body[:160]!r}{'…' if len(self.body) > 160 else ''}"


@dataclass
class Tally:
    """Of one door."""

    door: str
    mutants: int = 0
    beginnings: int = 0
    let_in: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    findings: list[Finding] = field(default_factory=list)

    def __str__(self) -> str:
        rate = (self.mutants + self.beginnings) / self.seconds if self.seconds else 0
        return (f"{self.door}: {self.mutants} mutants, {self.let_in} let in, {self.beginnings} beginnings, {len(self.findings)} findings, "
                f"{rate:.0f}/s, slowest {self.slowest * 1000:.0f} ms")


def made(door: Door, seed: int, number: int) -> bytes:
    """The mutant of this number."""
    dice = random.Random(f"{seed}:{door.name}:{number}")
    return mutant(dice, dice.choice(door.whole), door.form, door.whole)


def fuzz(door: Door, seed: int, mutants: int, first: int = 0, seconds: float = float("inf"), every_beginning: int = 1, say: Callable[[str], None] | None = None) -> Tally:
    """Mutants `first` and on, and every `every_beginning`-th beginning of each sample. Stops after `seconds`, or with a handful of findings."""
    samples = door.whole
    tally, began = Tally(door.name), time.perf_counter()
    told = began
    for sample in samples:
        for end in range(seed % every_beginning, len(sample), every_beginning):
            tally.beginnings += 1
            if wrong := door.try_beginning(sample, end):
                _find(tally, Finding(door.name, wrong, sample[:end], seed))
            if time.perf_counter() - began > seconds / 2:  # a short form needs its mutants too
                break
    for number in range(first, first + mutants):
        body, at = made(door, seed, number), time.perf_counter()
        wrong, came = door.try_out(body)
        now = time.perf_counter()
        tally.mutants, tally.slowest, tally.let_in = tally.mutants + 1, max(tally.slowest, now - at), tally.let_in + (not isinstance(came, BaseException))
        if wrong:
            _find(tally, Finding(door.name, wrong, body, seed, number))
        if now - began > seconds or len(tally.findings) >= FINDINGS_MAX:
            break
        if say and now - told > TOLD_EVERY:
            told, tally.seconds = now, now - began
            say(f"  … {tally}")
    tally.seconds = time.perf_counter() - began
    return tally


def _find(tally: Tally, finding: Finding) -> None:
    """Each kind of finding once: the shortest document that shows it."""
    kind = finding.what[:60]
    for place, other in enumerate(tally.findings):
        if other.what[:60] == kind:
            if len(finding.body) < len(other.body):
                tally.findings[place] = finding
            return
    tally.findings.append(finding)


def main() -> int:
    """The long form."""
    from tests.fuzz.doors import all_doors
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--mutants", type=int, default=1_000_000)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--first", type=int, default=0)
    options.add_argument("--doors", default="*")
    options.add_argument("--minutes", type=float, default=float("inf"), help="at most so long for each door")
    options.add_argument("--only", type=int)
    given = options.parse_args()
    chosen = [door for name, door in all_doors().items() if fnmatch.fnmatch(name, given.doors)]
    print(f"seed {given.seed}, {len(chosen)} doors", flush=True)
    findings, mutants = 0, 0
    for door in chosen:
        if given.only is not None:
            body = made(door, given.seed, given.only)
            print(f"{door.name} {given.only}: {door.try_out(body)}\n{body!r}")
            continue
        tally = fuzz(door, given.seed, given.mutants, given.first, given.minutes * 60, say=lambda said: print(said, flush=True))
        print(tally, *(f"  {finding}" for finding in tally.findings), sep="\n", flush=True)
        findings, mutants = findings + len(tally.findings), mutants + tally.mutants
    print(f"{mutants} mutants, {findings} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
