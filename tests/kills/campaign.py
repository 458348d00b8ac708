"""A campaign of kills against one house: trade, let a process work, kill it, let the next one go on; then peace, and the books are compared.

Every other process is killed by itself at a named point (the one least often hit so far), the others from outside at a random instant; some work
while another one does. The dice have a seed; the instants of an outside kill are the machine's.
"""

import json
import random
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from connectors.ledger.vault import new_master_key
from deployments import demo_checks
from deployments.demo_returns import return_tables
from deployments.demo_stock import stock_tables
from deployments.demo_world import UK_FACILITY, tables
from tasks import mappings
from tests.journeys.rig import Rig
from tests.kills import steps
from tests.kills.mortal import BUG, DONE, Child, Doom
from tests.kills.outside import HASH, SKUS, TOKEN, Outside, Shared

PROFILE = Path(__file__).resolve().parents[2] / "deployments" / "profiles" / "demo" / "profile.toml"
QUIET, LEASE = 120, 60
ADDRESS = {"first_name": "Canary", "last_name": "Lovelace", "street_1": "1 Canary Row", "city": "Canaryton", "zip": "CN1 1CN", "country": "United Kingdom",
           "country_iso2": "GB", "phone": "07700900001", "email": "canary.ada@example.invalid", "shipping_method": "Royal Mail Tracked 48"}
DRAIN_ROUNDS = 14
PATIENCE = 60.0
TOGETHER = 0.25


@dataclass
class Report:
    """What a campaign, or several, came to."""

    seed: int = 0
    kills: int = 0
    processes: int = 0
    named: Counter = field(default_factory=Counter)
    instants: Counter = field(default_factory=Counter)
    ended_early: Counter = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    checked: int = 0
    effects: Counter = field(default_factory=Counter)
    points: set[str] = field(default_factory=set)
    seconds: float = 0.0

    def add(self, other: "Report") -> None:
        """Another one's figures too."""
        self.kills, self.processes, self.checked = self.kills + other.kills, self.processes + other.processes, self.checked + other.checked
        self.named, self.instants, self.ended_early = self.named + other.named, self.instants + other.instants, self.ended_early + other.ended_early
        self.effects, self.points, self.seconds = self.effects + other.effects, self.points | other.points, self.seconds + other.seconds
        self.violations += other.violations

    def lines(self) -> list[str]:
        """For people: where the kills hit."""
        hit = self.named + self.instants
        told = [f"{self.kills} kills in {self.processes} processes, {sum(self.named.values())} at {len(self.named)} of {len(self.points)} named points, "
                f"{sum(self.instants.values())} at random instants; {self.checked} things checked, {len(self.violations)} violations, {self.seconds:.0f} s"]
        told += [f"  {hit[place]:5}  {place or 'before its first point'}" for place in sorted(hit, key=lambda place: (-hit[place], place))]
        told += [f"  effects carried: {dict(sorted(self.effects.items()))}", f"  ended early: {dict(self.ended_early.most_common(6))}"]
        return told


class Campaign:
    """One house, one world, one seed. ledger_url '': the SQLite file of the profile."""

    def __init__(self, folder: Path, seed: int, ledger_url: str = "") -> None:
        warm()
        self.home, self.shared, self.dice = folder / "home", Shared(), random.Random(seed)
        self.report, self._known = Report(seed), set()
        self._by_step: dict[str, dict[str, int]] = {}
        self._stack = ExitStack()
        self.cancelled: set[int] = set()
        self.home.mkdir(parents=True)
        self.outside = Outside(self.home / "partner", self.shared, seed)
        self._stack.callback(self.outside.close)
        for name, secret in (("vault.key", new_master_key()), ("bigcommerce.token", TOKEN)):
            (self.home / name).write_text(secret)
        (self.home / "profile.toml").write_text(_profile(self.home, self.outside.url, ledger_url))
        self.does(_set_up)
        for _ in range(4):
            self.order()
        self.outside.site.state_stock()

    def close(self) -> None:
        """Everything of it is gone."""
        self._stack.close()
        shutil.rmtree(self.home.parent, ignore_errors=True)

    def run(self, kills: int) -> Report:
        """So many kills, then peace and the judges."""
        began = time.monotonic()
        self.learn()
        while self.report.kills < kills and self.report.processes < 6 * kills + 20:
            self.trade()
            self._round()
        return self.ends(began)

    def ends(self, began: float) -> Report:
        """Peace, the judges, and the report."""
        self.drain()
        self.judge()
        self.report.points, self.report.seconds = set(self._known), time.monotonic() - began
        return self.report

    # trade

    def trade(self) -> None:
        """Customers order, cancel and send back; the warehouse counts and works; time passes."""
        dice, site, shop = self.dice, self.outside.site, self.outside.shop
        if dice.random() < 0.35:
            self.order()
        if dice.random() < 0.15:
            site.adjust(UK_FACILITY, {dice.choice(SKUS): dice.randint(-3, 5)})
        if dice.random() < 0.15:
            site.state_stock()
        if dice.random() < 0.2:
            self._send_back()
        if dice.random() < 0.05:
            waiting = [number for number, order in shop.books()["orders"].items() if order["status_id"] == 11 and number not in self.cancelled]
            if waiting:
                self.cancelled.add(number := dice.choice(waiting))
                shop.cancel_order(number)
        self.passes(dice.choice((1, 20, QUIET + 1, QUIET + LEASE + 1)))

    def order(self) -> None:
        """A customer orders."""
        lines = [{"sku": sku, "name": sku, "quantity": self.dice.randint(1, 4), "price": "2.55", "product_id": 1} for sku in self.dice.sample(SKUS, self.dice.randint(1, 3))]
        if self.dice.random() < 0.2:
            lines.append({"sku": "POST", "name": "Postage", "quantity": 1, "price": "4.95", "product_id": 1})
        self.outside.shop.place_order(lines, [ADDRESS], status_id=11, currency="GBP")

    def _send_back(self) -> None:
        shipped = [(reference, copy) for reference, copies in self.outside.site.books()["orders"].items() for copy in copies if copy["state"] == "shipped"]
        if shipped:
            reference, copy = self.dice.choice(shipped)
            line = self.dice.choice(list(copy["lines"].values()))
            self.outside.site.receive_return(reference, [(line["sku"], 1, self.dice.choice("AABC"))])

    def passes(self, seconds: float) -> None:
        """Time, in which the others do what is due."""
        self.shared.add(seconds)
        self.outside.site.step()
        self.outside.shop.step()

    # kills

    def learn(self) -> None:
        """Every step once, without a kill: which points it passes by. And in a child, since the conductor never opens the ledger."""
        for name in steps.STEPS:
            self._ask_points(name)
            self.passes(QUIET)

    def _ask_points(self, name: str) -> None:
        child = Child(self.home, self.shared, steps.STEPS[name])
        self.ended(child, name)
        for place, times in child.points.items():
            known = self._by_step.setdefault(name, {})
            known[place] = max(times, known.get(place, 0))
            self._known.add(place)

    def _round(self) -> None:
        name = self.dice.choices(list(steps.STEPS), (5, 6, 4, 4, 1))[0]
        together = None
        if self.dice.random() < TOGETHER:
            together = Child(self.home, self.shared, steps.STEPS[self.dice.choice(list(steps.STEPS))])
        if self.dice.random() < 0.6 and self._by_step.get(name):
            self._kill_at_a_point(name)
        else:
            self._kill_at_an_instant(name)
        if together:
            self.ended(together, "another process")

    def _kill_at_a_point(self, name: str) -> None:
        passed = self._by_step[name]
        place = min(passed, key=lambda place: (self.report.named[place], self.dice.random()))
        self.shared.place = ""
        child = Child(self.home, self.shared, steps.STEPS[name], Doom(place, self.dice.randint(1, max(1, passed[place] // 2)) if self.report.named[place] else 1))
        if self.ended(child, name) == -9:
            self.report.kills += 1
            self.report.named[place] += 1
        elif child.outcome == DONE:  # it never came by: nothing was to be done there now
            for other, times in child.points.items():
                self._by_step[name][other] = max(times, self._by_step[name].get(other, 0))
                self._known.add(other)

    def _kill_at_an_instant(self, name: str) -> None:
        self.shared.place = ""
        child = Child(self.home, self.shared, steps.STEPS[name])
        time.sleep(self.dice.uniform(0.0, 0.3))
        place = self.shared.place
        if child.kill() == -9:
            self.report.kills += 1
            self.report.instants[self.shared.place or place] += 1
        self.ended(child, name)

    def ended(self, child: Child, name: str) -> int:
        """Wait until it is over, and account for how it ended."""
        self.report.processes += 1
        until = time.monotonic() + PATIENCE
        while not child.is_over():
            time.sleep(0.002)
            if time.monotonic() > until:
                child.kill()
                self.report.violations.append(f"{name}: a process did not end within {PATIENCE:.0f} s, at {self.shared.place}")
        if child.outcome == BUG:
            self.report.violations.append(f"{name}: {child.told.strip().splitlines()[-1] if child.told else 'no word'} … {child.told[-1500:]}")
        elif child.outcome > 0:
            self.report.ended_early[child.told[:110]] += 1
        elif child.outcome not in (0, -9):
            self.report.violations.append(f"{name}: ended by signal {-child.outcome}")
        return child.outcome

    def does(self, work: Callable[[Any], Any]) -> str:
        """Work that is not killed; what it answers."""
        child = Child(self.home, self.shared, work)
        outcome = self.ended(child, getattr(work, "__name__", "work"))
        return child.told if outcome == DONE else f"it ended with {outcome}: {child.told}"

    # peace

    def drain(self) -> None:
        """No more faults and no more kills, until nothing is owed, in doubt or to be picked."""
        self.outside.heal()
        calm = 0
        for _ in range(DRAIN_ROUNDS):
            self.passes(QUIET + LEASE + 1)
            for name in ("orders", "dispatches", "returns", "stock"):
                self.does(steps.STEPS[name])
                self.passes(20)
            left = json.loads(self.does(steps.unfinished) or "[]") if self.outside.site.is_idle() else ["the warehouse is at work"]
            calm = 0 if left else calm + 1
            if calm == 2:
                self.passes(60)
                self._state_and_tell()
                return
        self.report.violations.append(f"never at rest: {left[:5]}")

    def _state_and_tell(self) -> None:
        for sku in SKUS:  # every figure changes: one that was on its way when a sale came, and comes out the same, is not told again (docs/proof.md, what is not claimed)
            self.outside.site.adjust(UK_FACILITY, {sku: 1})
        self.outside.site.state_stock()
        self.passes(30)
        self.does(steps.STEPS["stock"])
        self.passes(60)
        self.does(steps.STEPS["dispatches"])
        self.passes(60)

    def judge(self) -> None:
        """The sandboxes' own books against the ledger, and the analysts' copy against it."""
        books = demo_checks.Books(self.outside.shop.books(), self.outside.site.books())
        said = self.does(lambda house: steps.judged(house, books, self.cancelled))
        try:
            found = json.loads(said)
        except ValueError:
            self.report.violations.append(f"the judge: {said[-3000:]}")
            return
        self.report.checked, self.report.effects = found["checked"], Counter(found["kinds"])
        self.report.violations += found["violated"]


def _set_up(house: Any) -> None:
    for table, csv in {**tables(mended=True), **stock_tables(), **return_tables()}.items():
        mappings.change_mapping(house, table, csv, "set-up")


def _profile(home: Path, url: str, ledger_url: str) -> str:
    text = PROFILE.read_text().replace("{bigcommerce}", url).replace("{home}", str(home))
    assert "verify_seconds = 20\n" in text and "quiet_seconds = 3\n" in text and "cycles_seconds = 10\n" in text
    text = text.replace("cycles_seconds = 10\n", "").replace("verify_seconds = 20\n", "verify_seconds = 60\n").replace("quiet_seconds = 3\n", f"quiet_seconds = {QUIET}\n")
    text = text.replace('store_hash = "demo"', f'store_hash = "{HASH}"\npage_size = 5')
    return text.replace(f"sqlite:///{home}/ledger.db", ledger_url) if ledger_url else text


@cache
def warm() -> None:
    """What a process imports when it first works is imported before the forks, by a day in a world of its own: a child then costs 0.2 s, not 0.7."""
    home = Path(tempfile.mkdtemp(prefix="wharfinger-warm-"))
    rig = Rig(home / "home", stock={UK_FACILITY: {"HEART": 9}})
    mappings.change_mapping(rig.house, "return_rules", return_tables()["return_rules"], "set-up")
    order = rig.orders(("HEART", 2))
    rig.drains()
    rig.site.state_stock()
    rig.tells_of_stock()
    rig.customer_returns(order, ("HEART", 1, "A"))
    rig.settles_returns()
    steps.publish(rig.house)
    rig.house.close()
    shutil.rmtree(home)
