"""The house that this process works in: opened once from the profile that the environment names."""

import os
from functools import lru_cache
from pathlib import Path

from prefect.cache_policies import NO_CACHE

from connectors.house import PROFILE, House, read_profile
from connectors.kit.errors import BadConfiguration, InDoubt, NotNow

CHUNK = 100


@lru_cache(maxsize=1)
def house() -> House:
    """This process's house. Raises BadConfiguration when the environment names no profile."""
    named = os.environ.get(PROFILE)
    if not named:
        raise BadConfiguration("opening the house", f"the environment has no {PROFILE}", "Set it to a profile file, or use --profile.")
    return House(read_profile(Path(named)))


def may_help(task: object, run: object, state: object) -> bool:
    """Prefect's retry condition: only what a later attempt may mend. What is repeated is the claim, never the call."""
    try:
        state.result()  # type: ignore[attr-defined]  # Prefect hands in its State
    except (NotNow, InDoubt):
        return True
    except Exception:
        return False
    return False


RETRY = {"retries": 2, "retry_delay_seconds": [5, 30], "retry_condition_fn": may_help, "cache_policy": NO_CACHE}
