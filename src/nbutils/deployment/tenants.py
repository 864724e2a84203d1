"""Several adapters on one base in one process, switched from request to request."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from nbutils.errors import UserError
from nbutils.models import Messages, base_path

from .adapters import check_base, read_adapter


class Tenants:
    """One base with the adapters of several tenants; each request names its own.

    The base is in memory once; an adapter of rank 16 adds a few megabytes. Adapters are not
    merged, so a switch changes which small matrices take part and copies nothing.

    Parameters
    ----------
    base : str
        See `nbutils.models.base_path`.
    adapters : mapping of str to Path
        Tenant to the folder of its adapter, all of this base.

    Raises
    ------
    UserError
        If there is no adapter, or one is of another base.
    """

    def __init__(self, base: str, adapters: Mapping[str, Path]) -> None:
        import torch
        from peft import PeftModel
        from transformers import AutoModelForCausalLM, AutoTokenizer

        if not adapters:
            raise UserError("no tenant has an adapter: name at least one.")
        for folder in adapters.values():
            check_base(Path(folder), read_adapter(Path(folder)), base, "")
        path = base_path(base)
        self._tokenizer: Any = AutoTokenizer.from_pretrained(path)
        plain = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32)
        (first, folder), *others = adapters.items()
        self._model: Any = PeftModel.from_pretrained(plain, folder, adapter_name=first)
        for name, other in others:
            self._model.load_adapter(other, adapter_name=name)
        self._model.eval()

    def answer(self, tenant: str, asked: Messages, max_new_tokens: int = 280) -> str:
        """Answer one conversation greedily with a tenant's adapter.

        Raises
        ------
        UserError
            If the tenant is unknown.
        """
        import torch

        self.switch(tenant)
        ids = self._tokenizer.apply_chat_template(
            asked, add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        with torch.inference_mode():
            out = self._model.generate(**ids, max_new_tokens=max_new_tokens, do_sample=False)
        said = out[0, ids["input_ids"].shape[1] :]
        return str(self._tokenizer.decode(said, skip_special_tokens=True)).strip()

    def switch(self, tenant: str) -> None:
        """Make a tenant's adapter the active one."""
        if tenant not in self._model.peft_config:
            raise UserError(
                f"tenant '{tenant}' has no adapter here; expected one of "
                f"{', '.join(self._model.peft_config)}: correct the name or load its adapter."
            )
        self._model.set_adapter(tenant)


def switching(
    tenants: Tenants, names: Sequence[str], asked: Messages, *, times: int = 20
) -> pd.DataFrame:
    """Measure switches, and whether each tenant's words stay its own.

    Parameters
    ----------
    tenants : Tenants
        With the adapters of `names`.
    names : sequence of str
        Tenants, asked in turn.
    asked : messages
        One prompt.
    times : int
        Switches measured.

    Returns
    -------
    DataFrame
        ``tenant``, ``switch_ms`` (median), ``n`` and ``same`` (its answer is the same before and
        after the others were asked).
    """
    first = {name: tenants.answer(name, asked, 24) for name in names}
    spent: dict[str, list[float]] = {name: [] for name in names}
    for i in range(times):
        name = names[i % len(names)]
        begun = time.perf_counter()
        tenants.switch(name)
        spent[name].append(1000 * (time.perf_counter() - begun))
    again = {name: tenants.answer(name, asked, 24) for name in names}
    return pd.DataFrame(
        {
            "tenant": list(names),
            "switch_ms": [float(pd.Series(spent[n]).median()) for n in names],
            "n": [len(spent[n]) for n in names],
            "same": [first[n] == again[n] for n in names],
        }
    )
