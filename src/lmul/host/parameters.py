"""How a parameter is refused; here, so that the golden model needs nothing but `host` and multipliers."""

from typing import Any

from lmul.errors import Parameter, UserError


class ParameterError(UserError):
    """A parameter that cannot be used.

    Parameters
    ----------
    parameter : str
        Its name in Python.
    *words : str or Parameter
        What is wrong with it, read behind its name.
    """

    def __init__(self, parameter: str, *words: str | Parameter) -> None:
        super().__init__(Parameter(parameter), " ", *words)

    def __reduce__(self) -> tuple[Any, ...]:
        # Exceptions are copied by calling their class with `args`, which have the name in them.
        return UserError, self.args
