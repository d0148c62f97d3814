"""What was made of a parameter, kept while the parameter stays as it is.

PyTorch counts changes of a tensor, but not those of fused optimisers, nor those through `.data` or NumPy: a
checksum of the numbers tells.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from lmul.host.checksum import STEP, place_sum

Made = TypeVar("Made")


@dataclass
class _Entry:
    state: Hashable
    made: Any


_ENTRIES: Any = WeakTensorKeyDictionary()


def kept(parameter: Tensor, key: Hashable, make: Callable[[], Made]) -> Made:
    """Make something of a parameter, or give what was made of it last.

    Parameters
    ----------
    parameter : Tensor
        Not what is made of it in turn: a view is another tensor every time.
    key : hashable
        All else that decides what is made. One thing of each parameter is kept.
    make : callable
    """
    state = key, checksum(parameter), parameter.dtype, parameter.shape
    entry = _ENTRIES.get(parameter)
    if entry is None or entry.state != state:
        entry = _ENTRIES[parameter] = _Entry(state, make())
    made: Made = entry.made
    return made


def forget(parameter: Tensor) -> None:
    """Free what was made of a parameter."""
    _ENTRIES.pop(parameter, None)


def checksum(parameter: Tensor) -> int:
    """Give a sum of the bits of a tensor, each times a number of its place: almost any change changes it."""
    bits = parameter.detach().contiguous().flatten().view(torch.uint8)
    if len(bits) % 8:  # Otherwise padding would copy all of it.
        bits = torch.nn.functional.pad(bits, (0, -len(bits) % 8))
    words = bits.view(torch.int64)
    if words.device.type == "cpu":
        return place_sum(words.numpy())
    places = torch.arange(len(words), device=words.device) * STEP + 1
    return int((words * places).sum())
