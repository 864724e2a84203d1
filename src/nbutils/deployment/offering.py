"""A merged model registered and offered as champion, with the registry's answer in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from nbutils.errors import UserError

from .lineage import lineage, steps
from .promoting import promote
from .registering import register

WHY = "offered by 06_deployment"


@dataclass(frozen=True)
class Offered:
    """What `offer` came to.

    Attributes
    ----------
    said : str
        Which version it is, and whether it is champion now or why not.
    lineage : DataFrame
        See `nbutils.deployment.steps`; without rows if nothing was registered.
    """

    said: str
    lineage: pd.DataFrame = field(repr=False)


def offer(merged: Path, proof: Mapping[str, Any], *, name: str, uri: str | None = None) -> Offered:
    """Register a merged model, and make it champion if nothing is against it.

    Parameters
    ----------
    merged, proof, name, uri
        See `nbutils.deployment.register`; nothing is registered if the name is empty.

    Raises
    ------
    UserError
        If it cannot be registered. That it cannot be promoted is no error: `Offered.said` tells.
    """
    if not name:
        return Offered("Not registered: REGISTRY is empty.", pd.DataFrame({"step": []}))
    version = register(merged, proof=proof, name=name, uri=uri)
    try:
        answer = promote(version.version, why=WHY, name=name, uri=uri).said
    except UserError as error:
        answer = f"It stays challenger: {error}"
    said = f"Registered as version {version.version} of {name}. {answer}"
    return Offered(said, steps(lineage(version)))
