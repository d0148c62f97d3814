"""Language models by a word of the command line, loaded when they first read."""

from dataclasses import dataclass, field
from functools import cached_property

from lmul.host.cache import program_digest
from lmul.llm.products.devices import find_gpu, load_model, make_matmul
from lmul.llm.products.host import Weights
from lmul.llm.readers.reader import SOURCES, LanguageModel, NumpyReader
from lmul.llm.suites import FULL_PRECISION_IS
from lmul.scheme import Scheme
from lmul.workloads import smollm2


@dataclass(frozen=True)
class NumpyModel:
    """SmolLM2-135M-Instruct, for those without PyTorch; on a graphics processor where there is one."""

    name: str = "SmolLM2-135M-Instruct"
    full_precision: str = FULL_PRECISION_IS
    _weights: Weights = field(default_factory=Weights)

    def key(self) -> dict[str, str]:
        """Give what readings depend on; exponentials of a graphics processor may differ in the last place."""
        gpu = find_gpu()
        found = {"program": program_digest(*SOURCES), "model": smollm2.model_file().name}
        return found | ({"device": gpu} if gpu else {})

    def under(self, scheme: Scheme | None) -> NumpyReader:
        """Let it compute under an arithmetic."""
        return NumpyReader(self._model, make_matmul(scheme, self._weights))

    @cached_property
    def _model(self) -> smollm2.Model:
        return load_model()


def open_model(name: str | None) -> LanguageModel:
    """Give a language model by a word of the command line.

    Parameters
    ----------
    name : str or None
        As `lmul.torch.models.load` takes it; None is SmolLM2 by NumPy.
    """
    if name is None:
        return NumpyModel()
    from lmul.llm.readers.torch import TorchModel

    return TorchModel(name)
