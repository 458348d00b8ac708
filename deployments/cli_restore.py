"""`wharfinger restore`: the step between putting a backup of the ledger in place and starting the flows on it."""

import json
from typing import Annotated

import typer

from deployments.cli_parts import JsonOption, ProfileOption, opened_house, out
from tasks.restore import take_up_again


def restore(
    numbers: Annotated[int, typer.Option(min=1, help="Control numbers to leave out: more than can have been used since the backup.")] = 10_000,
    fences: Annotated[int, typer.Option(min=1, help="The same for claims of one effect.")] = 1_000,
    as_json: JsonOption = False,
    profile: ProfileOption = None,
) -> None:
    """Take a restored backup of the ledger up again, before any flow runs on it: nothing is numbered twice, and what came since is read again.

    Example: wharfinger restore --numbers 10000
    """
    with opened_house(profile) as house:
        done = take_up_again(house, numbers, fences)
    said = f"{done['in_doubt']} effects are in doubt and will be read back; files laid ready again: {done['put_back'] or 'none'}"
    print(json.dumps(done)) if as_json else out.print(said)
