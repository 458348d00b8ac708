"""Secrets by reference: a profile says `env:NAME` or `file:path`, never the secret itself."""

import os
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, SecretStr


def resolve(reference: object) -> SecretStr:
    """'env:NAME' or 'file:/path' -> the secret. Raises ValueError (pydantic names the key) for anything else."""
    if isinstance(reference, SecretStr):
        return reference
    kind, _, where = str(reference).partition(":")
    if kind == "env":
        if not os.environ.get(where):
            raise ValueError(f"the environment has no {where}")
        return SecretStr(os.environ[where])
    if kind == "file":
        try:
            return SecretStr(Path(where).read_text().strip())
        except OSError as error:
            raise ValueError(f"cannot read {where}: {error.strerror}") from None
    raise ValueError("a secret is given by reference: 'env:NAME' or 'file:/path', never in the profile itself")


Secret = Annotated[SecretStr, BeforeValidator(resolve)]
