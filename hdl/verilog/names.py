"""Names that Verilog, SystemVerilog and the C++ of simulators have not taken."""

import re
from collections.abc import Iterable

from lmul.errors import Parameter, UserError
from lmul.host.verilog_names import KEYWORDS


def check_module_name(name: object) -> None:
    """Refuse what cannot be the name of a module.

    Raises
    ------
    UserError
    """
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII):
        right = "take letters, digits and _, no digit first"
        raise UserError(f"{name!r} names no Verilog module: {right}, in ", Parameter("name_prefix"), " too")
    if name in KEYWORDS:
        raise UserError(f"{name!r} is a keyword, which names no Verilog module: take another name")


def check_port_name(name: str) -> None:
    """Refuse what cannot be the name of a port.

    Raises
    ------
    UserError
    """
    if name in KEYWORDS or not re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII):
        raise UserError(
            f"port {name!r} has no name of Verilog: give it one of letters, digits and _, no keyword"
        )


class Names:
    """The names of one module, each given once.

    Parameters
    ----------
    taken : iterable of str
        Names that are its own already.
    """

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = set(taken) | KEYWORDS

    def new(self, wish: str) -> str:
        """Give a name that is as near to the one wished for as can be."""
        base = re.sub(r"\W", "_", wish, flags=re.ASCII)
        base = base if not base[:1].isdigit() else f"n{base}"
        name, number = base, 0
        while name in self._taken:
            number += 1
            name = f"{base}_{number}"
        self._taken.add(name)
        return name
