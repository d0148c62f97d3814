"""The arithmetic of this project for models of PyTorch and transformers. Needs the extra `torch`."""

from importlib.util import find_spec

from lmul.programs.extras import missing

if find_spec("torch") is None:
    raise ModuleNotFoundError(str(missing("torch", "torch")), name="torch")

from lmul.scheme import Scheme, parse_scheme  # noqa: E402
from lmul.torch.compare import compare  # noqa: E402
from lmul.torch.config import Config  # noqa: E402
from lmul.torch.convert import convert_, restore_  # noqa: E402
from lmul.torch.operator import matmul  # noqa: E402
from lmul.torch.summary import summary  # noqa: E402

__all__ = ["Config", "Scheme", "compare", "convert_", "matmul", "parse_scheme", "restore_", "summary"]
