"""Measure how narrow fused sums may be, into report/recorded/narrow.json.

`python bench/narrow.py`, with the extra `llm`: errors of the products of each layer for all widths, then what
SmolLM2 loses with some. About 40 minutes on two cores; readings are kept in `build`.
"""

import sys
from itertools import product
from pathlib import Path
from typing import Any

from lmul.errors import UserError
from lmul.host.files import write_json
from lmul.llm.evaluation import WINDOW
from lmul.llm.narrow import EVERY, FACTORS, LANES, SCOPE, Losses, Products, Width, all_losses, as_plain
from lmul.options import option
from lmul.terminal.progress import working
from lmul.workloads import smollm2
from lmul.workloads.texts import passage

TARGET = Path(__file__).parent.parent / "report" / "recorded" / "narrow.json"

BUILD = Path("build")

COMMAND = "python bench/narrow.py"

MULTIPLIERS = ("exact", "lmul", "addm")

FRACTIONS, MANTISSAS = (6, 8, 10, 13, 16, 20, 25), (5, 7, 10, 13, 23)

WIDTHS = [Width(*width) for width in product(FRACTIONS, MANTISSAS, (False, True))]
"""All whose products are compared."""

READ = (
    *(Width(fraction) for fraction in (6, 8, 10, 13, 25)),
    *(Width(13, mantissa, nearest=True) for mantissa in (5, 7)),
    *(Width(13, mantissa) for mantissa in (7, 10, 13)),
    Width(10, 7, nearest=True),
    Width(10, 10),
)
"""Those that a text is read with."""

WINDOWS = 2
"""Of 512 tokens each, that are read."""


def measure() -> dict[str, Any]:
    """Measure everything."""
    model = smollm2.load_model()
    text = smollm2.encode(model, passage())[: WINDOWS * WINDOW]
    errors = []
    with working(f"Comparing products in {len(WIDTHS) * len(MULTIPLIERS)} ways") as progress:
        for mul in MULTIPLIERS:
            products = Products(model, text[:WINDOW], mul)
            for width in WIDTHS:
                errors.append(as_plain(products.errors(width)))
                progress(len(errors), len(WIDTHS) * len(MULTIPLIERS))
    losses = Losses(model, text, BUILD / "narrow")
    with working(f"Reading {losses.predicted:,} tokens {len(FACTORS)} times in many ways") as progress:
        found = all_losses(losses, list(product(MULTIPLIERS, READ)), progress)
    return {
        "command": COMMAND,
        "format": "e4m3",
        "scope": SCOPE,
        "lanes": LANES,
        "predicted": losses.predicted,
        "factors": FACTORS,
        "tokens_of_products": WINDOW // EVERY,
        "losses": [as_plain(one) for one in found],
        "errors": errors,
    }


if __name__ == "__main__":
    try:
        write_json(TARGET, measure())
    except UserError as error:
        print(f"lmul: {error.told(option)}", file=sys.stderr)
        sys.exit(2)
