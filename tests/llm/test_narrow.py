"""Sums of few bits: what a model loses to them, and the errors of each layer's products."""

from pathlib import Path

import numpy as np
import pytest

from lmul.golden import multiply_scaled
from lmul.golden.accumulators import find_accumulator
from lmul.golden.formats.format import E4M3
from lmul.llm.narrow import (
    FACTORS,
    Losses,
    NudgedMatmul,
    Products,
    Width,
    all_losses,
    as_plain,
    log_likelihoods,
    paired,
    scheme_with,
)
from lmul.llm.products.host import SchemeMatmul, Weights
from lmul.workloads import smollm2
from tests.support.llm import tiny_model

TEXT = np.arange(40) % 256


@pytest.mark.parametrize(
    "width", [Width(13), Width(6, 5), Width(25, 23, nearest=True), Width(10, 7, nearest=True)]
)
def test_width_is_that_of_its_accumulator(width: Width) -> None:
    found = find_accumulator(width.acc, (E4M3, E4M3))
    assert as_plain_width(found) == as_plain_width(width)


def as_plain_width(width: object) -> tuple[object, ...]:
    return tuple(getattr(width, name) for name in ("fraction_bits", "mantissa_bits", "nearest"))


def test_wide_sums_lose_nothing_and_narrow_ones_do(tmp_path: Path) -> None:
    losses = Losses(tiny_model(), TEXT, tmp_path)
    wide, narrow = all_losses(
        losses, [("lmul", Width(40)), ("lmul", Width(4, 1))], lambda *_: None, FACTORS[:2]
    )
    assert abs(wide.loss.value) < 1e-6 and abs(wide.divergence.value) < 1e-6
    assert narrow.divergence.value > 0.01
    assert len(narrow.loss_of_runs) == 2 and np.mean(narrow.loss_of_runs) == pytest.approx(narrow.loss.value)
    assert as_plain(narrow)["mantissa_bits"] == 1


def test_readings_are_surprises_and_divergences_and_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tiny_model()
    surprises, divergences = Losses(model, TEXT, tmp_path).reading("exact", "exact", 1.0)
    matmul = SchemeMatmul(scheme_with("exact", "exact"), Weights())
    logits, full = smollm2.forward(model, TEXT, matmul), smollm2.forward(model, TEXT)
    np.testing.assert_allclose(surprises, smollm2.surprises(logits[:-1], TEXT[1:]), rtol=1e-5)
    log_p, log_q = (log_likelihoods(each)[:-1].astype(float) for each in (full, logits))
    np.testing.assert_allclose(divergences, np.sum(np.exp(log_p) * (log_p - log_q), axis=-1), atol=1e-5)
    assert np.all(divergences > -1e-6) and divergences.mean() > 1e-4
    monkeypatch.setattr(smollm2, "forward", None)
    assert np.array_equal(Losses(model, TEXT, tmp_path).reading("exact", "exact", 1.0)[0], surprises)


def test_almost_the_same_operands_have_almost_the_same_products() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(9, 40)), rng.normal(size=(40, 7))
    scheme = scheme_with("exact", "exact")
    plain, nudged = (
        NudgedMatmul(scheme, Weights(), factor)("layer0.up_proj", a, b) for factor in FACTORS[:2]
    )
    assert not np.array_equal(plain, nudged)
    np.testing.assert_allclose(plain, nudged, atol=0.2)


def test_errors_of_layers_are_those_of_their_products() -> None:
    model = tiny_model()
    found = Products(model, TEXT, "lmul").errors(Width(6, 5))
    scheme = scheme_with("lmul", "exact")
    squares, gains = [], []

    def spy(name: str, a: smollm2.Array, b: smollm2.Array) -> smollm2.Array:
        matmul = SchemeMatmul(scheme, Weights())
        exact = matmul(name, a, b)
        if name.endswith("down_proj"):
            x, y = (matmul.quantise(each, side, scheme) for side, each in enumerate((a, b)))
            narrow = multiply_scaled(x, y, scheme_with("lmul", "fused:6:5").arithmetic)[0]
            for row in range(0, 40, 8):
                squares.append(np.sum((narrow[row] - exact[row]) ** 2) / np.sum(exact[row] ** 2))
                gains.append(np.dot(narrow[row], exact[row]) / np.dot(exact[row], exact[row]))
        return exact

    smollm2.forward(model, TEXT, spy)
    assert found.rms_percent_of_kinds["down_proj"] == pytest.approx(100 * np.sqrt(np.mean(squares)))
    assert set(found.rms_percent_of_kinds) == set(smollm2.GGUF_NAMES)
    assert -20 < found.gain_percent < 0 and np.mean(gains) < 1
    assert Products(model, TEXT, "lmul").errors(Width(40)).rms_percent < 1e-4


def test_interval_of_runs_holds_the_mean_19_times_in_20() -> None:
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(400):
        interval = paired(1 + rng.normal(size=(3, 1022)))
        held += abs(interval.value - 1) <= interval.half_width
    assert 0.92 <= held / 400 <= 0.98
