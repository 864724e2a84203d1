"""Several rows in one sequence: the settings under which they cannot see each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

MASKED = ("sdpa", "eager")


def packing_settings(attention: str, on_gpu: bool) -> tuple[dict[str, Any], str]:
    """Settings of TRL's SFTTrainer for packing, by the attention that the model will use.

    Whole rows are laid side by side ("bfd"), the positions begin anew with each, and no attention
    mask is given; from the positions the attention knows where a row ends. TRL's other two
    strategies are never set: "wrapped" goes with a mask of ones and no positions, so that rows
    attend to their neighbours without a warning, and like "bfd_split" it cuts rows in two, which
    parts answers from their prompts. Rows longer than ``max_length`` are cut by all three.

    Parameters
    ----------
    attention : str
        As in ``model.config._attn_implementation``: ``"sdpa"``, ``"eager"``,
        ``"flash_attention_2"``, or a kernel of the hub such as ``"kernels-community/flash-attn2"``.
    on_gpu : bool
        Whether training runs on a CUDA device.

    Returns
    -------
    dict
        Keywords of `SFTConfig`. ``per_device_train_batch_size`` then counts packed sequences of up
        to ``max_length`` tokens, not rows.
    str
        The reason, for readers.

    Examples
    --------
    >>> packing_settings("sdpa", on_gpu=False)[0]
    {'packing': False}
    """
    if not on_gpu:
        return {"packing": False}, (
            "on a CPU attention over a packed sequence costs more than padding of rows of similar "
            "length"
        )
    packed = {
        "packing": True,
        "packing_strategy": "bfd",
        # the mean over unpacked rows stays comparable with runs that do not pack
        "eval_packing": False,
        # packed sequences are all about as long
        "train_sampling_strategy": "random",
    }
    if "flash_att" in attention.replace("-", "_"):
        return packed, "flash attention is told where each row ends"
    if attention in MASKED:
        # TRL joins the sequences of a batch to one, and the mask grows with its square
        return packed | {"per_device_train_batch_size": 1}, (
            f"{attention} masks other rows by the positions; one sequence at a time, since its "
            f"mask grows with the square of the length: accumulate instead"
        )
    return {"packing": False}, f"it is not known whether attention '{attention}' keeps rows apart"


def packed_count(lengths: Sequence[int], max_length: int) -> int:
    """How many sequences rows of these lengths are packed into; a plan counts its steps in them.

    Parameters
    ----------
    lengths : sequence of int
        Tokens of each row, in the order of the data.
    max_length : int
        Longest sequence.
    """
    from datasets import Dataset
    from trl import pack_dataset

    blank = Dataset.from_dict({"input_ids": [[0] * length for length in lengths]})
    return len(pack_dataset(blank, max_length, "bfd"))
