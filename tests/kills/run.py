"""The long form: real processes killed by the hundred, PostgreSQL and the whole Prefect stack by the ten, and bugs that kills must show.

    python -m tests.kills.run --files 1000 --postgres 40 --prefect 20 --seed 1
"""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.kills import databases, planted, workers
from tests.kills.campaign import Campaign, Report
from tests.postgres import postgres, why_not

KILLS_A_WORLD = 50


def main() -> int:
    """Exit code 1 when anything was violated, or a planted bug was not shown."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--files", type=int, default=1000, help="kills of processes on a ledger file")
    options.add_argument("--postgres", type=int, default=40, help="kills of PostgreSQL")
    options.add_argument("--prefect", type=int, default=20, help="kills of a Prefect worker or server")
    options.add_argument("--planted", type=int, default=1, help="0: without the planted bugs")
    options.add_argument("--seed", type=int, default=1)
    given = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="wharfinger-kills-") as folder:
        home = Path(folder)
        reports = [_files(home, given.seed, given.files), _postgres(home, given.seed, given.postgres)]
        survivors = [name for name in planted.BUGS if not planted.shows(name, home / name, given.seed)] if given.planted else []
        reports.append(_prefect(home, given.seed, given.prefect))
    print(f"planted bugs: {len(planted.BUGS) if given.planted else 0}, not shown: {survivors}")
    return 1 if survivors or any(report.violations for report in reports) else 0


def _files(home: Path, seed: int, kills: int) -> Report:
    whole = Report(seed)
    for place in range(-(-kills // KILLS_A_WORLD)):
        campaign = Campaign(home / f"files-{place}", seed + place)
        report = campaign.run(min(KILLS_A_WORLD, kills - whole.kills))
        campaign.close()
        _tell(f"files, seed {seed + place}", report, 1)
        whole.add(report)
    return _tell("files in all", whole)


def _postgres(home: Path, seed: int, kills: int) -> Report:
    if not kills or why_not():
        print(f"PostgreSQL: {why_not() or 'none asked for'}")
        return Report()
    with postgres() as server, databases.campaign(home / "postgres", seed, server) as made:
        return _tell("PostgreSQL", databases.run(made, server, kills))


def _prefect(home: Path, seed: int, kills: int) -> Report:
    return _tell("Prefect", workers.run(home / "prefect", seed, kills)) if kills else Report()


def _tell(what: str, report: Report, lines: int | None = None) -> Report:
    print(f"{what}:", *report.lines()[:lines], *(f"VIOLATED {one}" for one in report.violations), sep="\n", flush=True)
    return report


if __name__ == "__main__":
    sys.exit(main())
