"""The arithmetic of this project for models of PyTorch and transformers. Needs the extra `torch`."""

from importlib.util import find_spec

from lmul.programs.extras import missing

if find_spec("torch") is None:
    raise ModuleNotFoundError(str(missing("torch", "torch")), name="torch")

from lmul.scheme import Scheme, parse_scheme
from lmul.torch.compare import compare
from lmul.torch.config import Config
from lmul.torch.convert import convert_, restore_
from lmul.torch.operator import matmul
from lmul.torch.summary import summary

__all__ = ["Config", "Scheme", "compare", "convert_", "matmul", "parse_scheme", "restore_", "summary"]
