"""`lmul`, but for the scripts that netlists are mapped with: they take little and leave more gates.

For tests of what a command does with netlists, however good they are. It is started by its path, as are the
processes that it starts, or preloaded by a worker of Dask.
"""

import sys
from collections.abc import Callable

from lmul.cli import main
from lmul.cost.calibration import calibrate
from lmul.cost.mapping import designs
from lmul.cost.mapping.scripts import SynthesisScript

SYNTHESIS = ("synth -noabc {flatten} -top {top}",)

SCRIPTS = (
    SynthesisScript("cheap/amap", SYNTHESIS, "strash; amap"),
    SynthesisScript("cheap/dch", SYNTHESIS, "strash; dch; amap", after="cheap/amap"),
)
"""Two, the second tried only where the first came close to the best, as real ones are."""


def use(replace: Callable[[object, str, object], None] = setattr) -> None:
    """Map all designs with these scripts; `replace` may be that of a monkeypatch."""
    for name in ("SCRIPTS", "DEEP_SCRIPTS", "SUM_SCRIPTS", "QUICK_SCRIPTS"):
        replace(designs, name, SCRIPTS)
    replace(calibrate, "QUICK_SCRIPTS", SCRIPTS)


def dask_setup(_worker: object) -> None:
    """Use them in a worker."""
    use()


if __name__ in {"__main__", "__mp_main__"}:
    use()

if __name__ == "__main__":
    sys.exit(main())
