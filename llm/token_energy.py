"""What one token of a language model costs on generated hardware: products, SRAM and DRAM, by kind of layer.

Products take the energy of a dot-product element measured under operands of that very kind of layer. Memory
traffic is a model: see `Machine`. What a byte takes is assumed: see `MemoryEnergy`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from lmul.cost.cells.estimate import estimate, map_blocks, measure_under
from lmul.cost.cells.measure import Conditions
from lmul.cost.library.cells import Library
from lmul.design import DEFAULT_LANES, Design, dot_of
from lmul.errors import UserError
from lmul.golden import Arithmetic
from lmul.hdl.framework.supported import check_built
from lmul.hdl.multiplier.unrounded import SCALE_BITS
from lmul.llm.memory_energy import PUBLISHED, MemoryEnergy
from lmul.scheme import ATTENTION, HEAD, parse_scheme
from lmul.terminal.progress import Report
from lmul.workloads import Operands, default_operands
from lmul.workloads.capture import LAYERS, cut_tile
from lmul.workloads.smollm2 import (
    GGUF_NAMES,
    Array,
    Model,
    encode,
    forward,
    plain_matmul,
    weight_name,
)

MULTIPLYING = ("product", "partial")
"""Names of the blocks of an element that multiply: those of integers give partial products."""


@dataclass(frozen=True)
class Element:
    """What computes all products of a token.

    Parameters
    ----------
    name : str
        For people.
    design : Design
        A `dot`.
    scaling : str
        Of operands, a name of `lmul.golden.SCALINGS`.
    """

    name: str
    design: Design
    scaling: str = "tensor"


def element_of(words: str) -> Element:
    """Give the element of an arithmetic.

    Exact sums, which are the same of any number of lanes, have as many as a `dot` usually has.

    Parameters
    ----------
    words : str
        As `lmul llm --arithmetic` takes it.

    Raises
    ------
    UserError
        It is no arithmetic of all products, or there is no hardware for it.
    """
    scheme = parse_scheme(words)
    if scheme is None or scheme.scope != "all":
        raise UserError(f"arithmetic {words!r}: one element computes every product of a token: take all")
    if scheme.promote is not None:
        raise UserError(f"arithmetic {words!r}: an element does not add outside: leave promote out")
    arithmetic = scheme.arithmetic
    any_lanes = arithmetic.acc == "exact" and arithmetic.lanes == Arithmetic.lanes
    design = dot_of(arithmetic, lanes=DEFAULT_LANES["dot"] if any_lanes else arithmetic.lanes)
    check_built(design)
    return Element(words.replace(",", " "), design, scheme.scaling)


@dataclass(frozen=True)
class Machine:
    """Where operands come from.

    An output-stationary array of `rows` x `cols` elements reads each operand of the first factor once for
    `cols` products and each of the second once for `rows`, from SRAM. Weights come from DRAM once for `batch`
    tokens, keys and values of the context once for each token. Activations stay in SRAM. An operand has the
    bytes of its format, and its part of a block's scale.

    Parameters
    ----------
    rows, cols : int
        Elements of the array.
    batch : int
        Tokens that are computed at once with the same weights.
    context : int
        Tokens that a token attends to, itself included.
    """

    rows: int = 16
    cols: int = 16
    batch: int = 1
    context: int = 512


@dataclass(frozen=True)
class KindEnergy:
    """The energy of one kind of product for one token, in uJ.

    Parameters
    ----------
    kind : str
        Such as ``q_proj``, summed over all layers.
    products : int
    fj_per_product : float
        Of the element, under operands of this kind.
    multipliers : float
        Of the multipliers.
    elements : float
        Of the rest of the elements: alignment, addition, accumulation, registers.
    sram, dram : float
        DRAM at its low end.
    dram_high : float
        DRAM at its high end.
    """

    kind: str
    products: int
    fj_per_product: float
    multipliers: float
    elements: float
    sram: float
    dram: float
    dram_high: float

    @property
    def total(self) -> float:
        """All of it, DRAM at its low end."""
        return self.multipliers + self.elements + self.sram + self.dram

    @property
    def total_high(self) -> float:
        """All of it, DRAM at its high end."""
        return self.total - self.dram + self.dram_high


@dataclass(frozen=True)
class TokenEnergy:
    """The energy of one token on one design.

    Parameters
    ----------
    element : Element
    machine : Machine
    memory : MemoryEnergy
    kinds : tuple of KindEnergy
    """

    element: Element
    machine: Machine
    memory: MemoryEnergy
    kinds: tuple[KindEnergy, ...]

    def sum(self, part: str) -> float:
        """Add up one part, `total` or `total_high`, over all kinds, in uJ."""
        return float(sum(getattr(kind, part) for kind in self.kinds))

    def memory_share(self, end: str = "") -> float:
        """Give what memory takes of all, as a fraction.

        Parameters
        ----------
        end : str
            ``""`` for the low end of DRAM, ``"_high"`` for the high one.
        """
        return (self.sum("sram") + self.sum(f"dram{end}")) / self.sum(f"total{end}")

    def saved_of(self, other: "TokenEnergy", end: str = "") -> float:
        """Give what is saved of another one's energy, as a fraction; `end` as for `memory_share`."""
        return 1 - self.sum(f"total{end}") / other.sum(f"total{end}")

    def as_plain(self) -> dict[str, Any]:
        """Give plain values, for JSON; energies in uJ."""
        return {
            "design": self.element.design.parameters(),
            "scaling": self.element.scaling,
            "machine": asdict(self.machine),
            "memory_pj_per_byte": asdict(self.memory),
            "kinds": [
                asdict(kind) | {"total": kind.total, "total_high": kind.total_high} for kind in self.kinds
            ],
            "total": self.sum("total"),
            "total_high": self.sum("total_high"),
            "memory_share": self.memory_share(),
            "memory_share_high": self.memory_share("_high"),
        }


def captured_operands(model: Model, text: str, length: int) -> dict[str, list[Operands]]:
    """Let a model read a text and cut tiles of the operands of every kind of product.

    Parameters
    ----------
    model : Model
    text : str
    length : int
        Tokens that are read, at least 96.

    Returns
    -------
    dict of str to list of Operands
        By kind; of three layers each.
    """
    found: dict[str, list[Operands]] = {}

    def matmul(name: str, a: Array, b: Array) -> Array:
        layer, _, kind = name.rpartition(".")
        if kind == HEAD or int(layer.removeprefix("layer")) in LAYERS:
            tile = cut_tile(name, a, b)
            operands = Operands(name, tile.a.astype("float32"), tile.b.astype("float32"))
            found.setdefault(kind, []).append(operands)
        return plain_matmul(name, a, b)

    forward(model, encode(model, text)[:length], matmul)
    return found


def products_per_token(model: Model, context: int) -> dict[str, int]:
    """Count the products of one token, by kind, over all layers."""
    config = model.config
    width = model.weights[weight_name(0, "q_proj")].shape[0]
    linear = {kind: config.layers * model.weights[weight_name(0, kind)].size for kind in GGUF_NAMES}
    attention = dict.fromkeys(ATTENTION, config.layers * width * context)
    return linear | attention | {HEAD: model.weights["token_embd.weight"].size}


def cached_numbers(model: Model, context: int) -> int:
    """Count the keys, or the values, of a context."""
    return int(model.config.layers * model.weights[weight_name(0, "k_proj")].shape[0] * context)


def operand_bytes(design: Design) -> tuple[float, float]:
    """Give the bytes of an operand of each factor, with its part of the scale of a block."""
    of_scale = SCALE_BITS / design.block_scale.block if design.block_scale else 0.0
    first, second = ((format_.width + of_scale) / 8 for format_ in design.formats)
    return first, second


@dataclass(frozen=True)
class ElementEnergy:
    """What an element takes under the operands of one kind of product.

    Parameters
    ----------
    fj_per_product : float
    multipliers : float
        The share of the multipliers, in a netlist of the same script in which blocks are mapped one by one.
    """

    fj_per_product: float
    multipliers: float


def measure_kinds(
    element: Element,
    operands: Mapping[str, Sequence[Operands]],
    library: Library,
    conditions: Conditions,
    cache: Path | None,
    progress: Report,
) -> dict[str, ElementEnergy]:
    """Measure one netlist of a design under the operands of each kind of product.

    The netlist is the one that `lmul cost` keeps for the captured tiles of the package.

    Parameters
    ----------
    element : Element
    operands : mapping of str to sequence of Operands
        By kind.
    library : Library
    conditions : Conditions
    cache : Path or None
        Where netlists and figures are kept.
    progress : callable
        Takes the numbers of finished and of all kinds.
    """
    design = element.design
    cost = estimate(design, default_operands(), library, conditions=conditions, cache=cache)
    netlists = {"whole": cost.mapped, "blocks": map_blocks(cost, cache=cache)}
    found: dict[str, ElementEnergy] = {}
    for kind, pairs in operands.items():
        progress(len(found), len(operands))
        scaled = [replace(pair, scaling=element.scaling) for pair in pairs]
        measured = dict(measure_under(design, netlists, scaled, conditions, cache))
        blocks = measured["blocks"].blocks
        multipliers = sum(blocks[name].energy.total for name in MULTIPLYING if name in blocks)
        found[kind] = ElementEnergy(
            measured["whole"].energy.total / design.lanes, multipliers / measured["blocks"].energy.total
        )
    return found


def token_energy(
    element: Element,
    measured: Mapping[str, ElementEnergy],
    model: Model,
    machine: Machine,
    memory: MemoryEnergy = PUBLISHED,
) -> TokenEnergy:
    """Add up the energy of one token.

    Parameters
    ----------
    element : Element
    measured : mapping of str to ElementEnergy
        Of `measure_kinds`.
    model : Model
    machine : Machine
    memory : MemoryEnergy, optional
        By default what is published for 45 nm.
    """
    kinds = []
    bytes_a, bytes_b = operand_bytes(element.design)
    for kind, products in products_per_token(model, machine.context).items():
        found, attention = measured[kind], kind in ATTENTION
        numbers = cached_numbers(model, machine.context) if attention else products / machine.batch
        # fJ, and pJ a byte, to uJ.
        elements = products * found.fj_per_product * 1e-9
        kinds.append(
            KindEnergy(
                kind=kind,
                products=products,
                fj_per_product=found.fj_per_product,
                multipliers=elements * found.multipliers,
                elements=elements * (1 - found.multipliers),
                sram=products * (bytes_a / machine.cols + bytes_b / machine.rows) * memory.sram * 1e-6,
                dram=numbers * bytes_b * memory.dram * 1e-6,
                dram_high=numbers * bytes_b * memory.dram_high * 1e-6,
            )
        )
    return TokenEnergy(element, machine, memory, tuple(kinds))
