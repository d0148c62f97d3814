"""Which products of a PyTorch model are computed how."""

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any

from lmul.errors import UserError
from lmul.scheme import FULL_PRECISION, Scheme, parse_scheme

Words = str | Scheme | None


@dataclass(frozen=True)
class Config:
    """How products of a layer are computed, and those of their gradients.

    Parameters
    ----------
    scheme : Scheme or str
        Words of a scheme are those of the command line: `lmul,e4m3,row`.
    backward : Scheme or str, optional
        Of the products of gradients: the first format is that of gradients, the second that of the other
        factor. By default those are in full precision, with the quantised operands of the product itself
        (straight through).

    Attributes
    ----------
    names : tuple of str
        The words of both, as operators take them; none for gradients in full precision.

    Raises
    ------
    UserError
        A word is unknown, a scheme has what words do not say, or full precision is asked for, which is None
        instead of a config.

    Examples
    --------
    >>> from lmul.torch import Config
    >>> Config("lmul,e4m3,row", backward="exact,e5m2xe4m3,row").names
    ('lmul,e4m3,all,row', 'exact,e5m2xe4m3,all,row')
    """

    scheme: Scheme
    backward: Scheme | None
    names: tuple[str, str]

    def __init__(self, scheme: Words, backward: Words = None) -> None:
        forward = as_scheme(scheme)
        if forward is None:
            raise UserError("full precision needs no config: say None")
        other = as_scheme(backward)
        object.__setattr__(self, "scheme", forward)
        object.__setattr__(self, "backward", other)
        object.__setattr__(self, "names", (scheme_words(forward), scheme_words(other) if other else ""))


Rules = Words | Config | Mapping[str, Words | Config]
"""A config for all layers, or for those whose names match patterns."""


def as_scheme(words: Words) -> Scheme | None:
    """Give the scheme of some words, None for full precision."""
    if not (words is None or isinstance(words, str | Scheme)):
        raise UserError(f"an arithmetic must be words such as 'lmul,e4m3,row', or a Scheme, not {words!r}")
    return words if isinstance(words, Scheme) or words is None else parsed(words)


@lru_cache(maxsize=256)
def parsed(words: str) -> Scheme | None:
    """Read words once."""
    return parse_scheme(words)


@lru_cache(maxsize=256)
def scheme_words(scheme: Scheme) -> str:
    """Give the words of a scheme; raise UserError if it has what words do not say."""
    if parse_scheme(scheme.name) != scheme:
        raise UserError(f"{scheme.name!r} does not say all of {scheme}: take what words of a scheme can say")
    return scheme.name


class Plan:
    """Tells the config of each layer by its name.

    Parameters
    ----------
    rules : str, Scheme, Config, None or mapping of such
        One for all, or patterns of names, as of file names, and what is for the layers that match: an exact
        name counts before any pattern, a later pattern before an earlier one. None, or the word `full`, is
        full precision, as are layers that no pattern matches.

    Raises
    ------
    UserError
        What is given for a pattern is no config.
    """

    def __init__(self, rules: Rules) -> None:
        patterns = rules if isinstance(rules, Mapping) else {"*": rules}
        self._rules = {str(pattern): _config(pattern, rule) for pattern, rule in patterns.items()}
        self._unused = set(self._rules)

    def find(self, name: str) -> Config | None:
        """Give the config of a layer, None for full precision."""
        pattern = self._pattern(name)
        return None if pattern is None else self._rules[pattern]

    def leaves(self, name: str) -> bool:
        """Tell whether a rule says that a layer is in full precision."""
        pattern = self._pattern(name)
        return pattern is not None and self._rules[pattern] is None

    def _pattern(self, name: str) -> str | None:
        """Give the pattern that counts for a name, None where none matches."""
        matching = [pattern for pattern in self._rules if pattern == name or fnmatchcase(name, pattern)]
        self._unused -= set(matching)
        return name if name in matching else matching[-1] if matching else None

    @property
    def unused(self) -> list[str]:
        """The patterns that matched no name so far, in their order."""
        return [pattern for pattern in self._rules if pattern in self._unused]


def _config(pattern: str, rule: Any) -> Config | None:
    if isinstance(rule, Config):
        return rule
    if rule is None or rule == FULL_PRECISION:
        return None
    if isinstance(rule, str | Scheme):
        return Config(rule)
    raise UserError(f"{pattern!r} must have words of a scheme, a Scheme, a Config or None, not {rule!r}")
