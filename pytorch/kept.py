"""What was made of a parameter, kept while the parameter stays as it is."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, TypeVar

from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

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
    if parameter.is_inference():  # Has no count of its changes.
        return make()
    state = key, parameter._version, parameter.data_ptr(), parameter.dtype, parameter.shape
    entry = _ENTRIES.get(parameter)
    if entry is None or entry.state != state:
        entry = _ENTRIES[parameter] = _Entry(state, make())
    made: Made = entry.made
    return made


def forget(parameter: Tensor) -> None:
    """Free what was made of a parameter."""
    _ENTRIES.pop(parameter, None)
