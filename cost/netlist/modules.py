"""The modules of a netlist as Yosys writes them in JSON, and the names of the blocks that they are."""

import json
from dataclasses import dataclass
from typing import Any

from lmul.errors import UserError


@dataclass(frozen=True)
class Modules:
    """A hierarchy of modules.

    Parameters
    ----------
    top : str
    bodies : dict of str to dict
        Ports, cells and names of nets of each module, as Yosys has them.
    """

    top: str
    bodies: dict[str, dict[str, Any]]

    def block(self, module: str) -> str:
        """Give the name of the block that a module is: that without the design's, nothing for the design."""
        return block_name(module, self.top)


def read_modules(text: str) -> Modules:
    """Read what ``write_json`` wrote.

    Raises
    ------
    UserError
        There is not one top module.
    """
    bodies = json.loads(text)["modules"]
    tops = [name for name, module in bodies.items() if "top" in module["attributes"]] or list(bodies)
    if len(tops) != 1:
        raise UserError(f"the netlist has {len(tops)} top modules, not one")
    return Modules(tops[0], bodies)


def block_name(module: str, top: str) -> str:
    """Give the name of a block by those of its module and of the top module: what a block is for."""
    return module.removeprefix(top).lstrip("_")
