"""Linear layers whose product is that of an arithmetic."""

from torch import Tensor, nn

from lmul.torch.config import Config
from lmul.torch.kept import forget
from lmul.torch.observer import observe
from lmul.torch.operator import product


class Converted(nn.Module):
    """What layers have in common that took the place of others.

    Parameters and buffers, hooks and names are those of the layer that was replaced, so that a state dict
    keeps its keys.

    Attributes
    ----------
    config : Config
    """

    config: Config
    _original: nn.Module

    @classmethod
    def of(cls, layer: nn.Module, config: Config) -> "Converted":
        """Give a layer that computes what another one does, with the same parameters."""
        converted = cls.__new__(cls)
        converted.__dict__.update(layer.__dict__)
        converted.__dict__["_original"] = layer  # Not a module inside: it has no keys of its own.
        converted.configure(config)
        return converted

    def configure(self, config: Config) -> None:
        """Compute in another way from now on."""
        self.config, self._names = config, config.names

    def restored(self) -> nn.Module:
        """Give the layer that was replaced, with the parameters that this one has by now."""
        layer = self._original
        forget(layer.weight)
        own = {name: value for name, value in self.__dict__.items() if name in layer.__dict__}
        layer.__dict__.update(own)
        return layer

    def extra_repr(self) -> str:
        """Describe the layer, as printing a model does."""
        described = self._original.extra_repr()
        return ", ".join(part for part in (described, *self._names) if part)

    def _product(self, x: Tensor, weight: Tensor, *, transposed: bool) -> Tensor:
        rows = x if x.ndim > 1 else x[None]
        y = product(rows, weight, self._names, transposed=transposed, parameter=True)
        observe(self, "", rows, weight.mT if transposed else weight, y)
        return y if x.ndim > 1 else y[0]


class Linear(Converted, nn.Linear):
    """A `torch.nn.Linear` in an arithmetic; the bias is added in the type of the product."""

    def forward(self, x: Tensor) -> Tensor:
        """Give x (..., K) times the transposed weight (N, K), plus the bias."""
        y = self._product(x, self.weight, transposed=True)
        return y if self.bias is None else y + self.bias.to(y.dtype)


class Conv1D(Converted):
    """The linear layer of GPT-2 in transformers, whose weight is (K, N), in an arithmetic."""

    weight: Tensor
    bias: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """Give x (..., K) times the weight (K, N), plus the bias."""
        y = self._product(x, self.weight, transposed=False)
        return y + self.bias.to(y.dtype)


def replacement(layer: nn.Module) -> type[Converted] | None:
    """Give the class that can take the place of a layer, None where there is none.

    Classes that were made from `torch.nn.Linear` may compute something else, and are left as they are, as are
    layers with a `forward` of their own, which hooks of other packages give them.
    """
    if "forward" in vars(layer):
        return None
    if type(layer) is nn.Linear:
        return Linear
    name = f"{type(layer).__module__}.{type(layer).__name__}"
    return Conv1D if name == "transformers.pytorch_utils.Conv1D" else None
