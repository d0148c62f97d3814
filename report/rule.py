"""The rule by which a design is recommended: the least energy of those that are accurate enough.

A candidate is a complete design: this multiplier, format, sum and scale, with the accuracy and the energy of
just that.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from lmul.cost.cells.noise import ENERGY, Noise


@dataclass(frozen=True)
class Candidate:
    """A complete design.

    Parameters
    ----------
    mul : str
    scale : str
        What its operands are scaled by beside the format's own scale, empty if by nothing.
    perplexity : float or None
        Over that of full precision; None if it was not measured.
    energy : float
        Of a product, in fJ.
    """

    mul: str
    scale: str
    perplexity: float | None
    energy: float

    @property
    def name(self) -> str:
        """The multiplier, and the scale if there is one."""
        return f"{self.mul} with {self.scale}" if self.scale else self.mul


@dataclass(frozen=True)
class Recommendation:
    """What the rule makes of candidates.

    Parameters
    ----------
    best : Candidate or None
        The accurate one of least energy; None if none is accurate enough.
    ties : sequence of Candidate
        Others that are accurate, and of whose energy no difference to it is shown.
    nearest : Candidate or None
        The most accurate of all; None where no accuracy is known.
    unknown : sequence of str
        Multipliers of which no accuracy is known.
    """

    best: Candidate | None
    ties: Sequence[Candidate]
    nearest: Candidate | None
    unknown: Sequence[str]


def recommend(candidates: Sequence[Candidate], accepted: float, noise: Noise) -> Recommendation:
    """Recommend the design of least energy whose perplexity is accepted.

    Parameters
    ----------
    candidates : sequence of Candidate
    accepted : float
        Perplexity over that of full precision, at most.
    noise : Noise
        Of their energies.
    """
    known = [one for one in candidates if one.perplexity is not None]
    of = {one.mul for one in known}
    unknown = list(dict.fromkeys(one.mul for one in candidates if one.mul not in of))
    nearest = min(known, key=_perplexity, default=None)
    accurate = [one for one in known if _perplexity(one) <= accepted]
    if not accurate:
        return Recommendation(None, [], nearest, unknown)
    # Of one multiplier with and without a scale, which takes no energy, the more accurate one.
    best = min(accurate, key=lambda one: (one.energy, _perplexity(one)))
    ties: dict[str, Candidate] = {}
    for one in sorted(accurate, key=_perplexity):
        differs = noise.ratio(ENERGY, one.energy, best.energy).differs
        if one.mul != best.mul and not differs:
            ties.setdefault(one.mul, one)
    return Recommendation(best, list(ties.values()), nearest, unknown)


def _perplexity(candidate: Candidate) -> float:
    return float("inf") if candidate.perplexity is None else candidate.perplexity
