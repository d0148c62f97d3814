"""Models of PyTorch and transformers on an arithmetic: what is converted, to which bits, and back."""

from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from lmul.errors import UserError  # noqa: E402
from lmul.torch import Config, compare, convert_, restore_, summary  # noqa: E402
from lmul.torch.kept import _ENTRIES  # noqa: E402
from tests.support.torch_models import FAMILIES, golden_reference, small_model, tokens  # noqa: E402


@pytest.mark.parametrize("family", FAMILIES)
def test_logits_are_those_of_the_golden_model_alone(family: str) -> None:
    model, x = small_model(family), tokens()
    with torch.no_grad():
        plain = model(x).logits
        for words in ("lmul,e4m3,row", "exact,e5m2,tensor,acc=fused:13:13", "addm,e4m3,acc=fixed:24:-9"):
            with golden_reference(model, words):
                wanted = model(x).logits
            assert not torch.allclose(wanted, plain, rtol=1e-3)
            convert_(model, words)
            assert torch.equal(model(x).logits, wanted)
            restore_(model)
        assert torch.equal(model(x).logits, plain)


def test_state_dict_keeps_its_keys_and_tied_weights_stay_tied() -> None:
    model = small_model("gpt2")
    before = {name: value.clone() for name, value in model.state_dict().items()}
    convert_(model, "lmul,e4m3,row")
    assert model.lm_head.weight is model.transformer.wte.weight
    assert list(model.state_dict()) == list(before)
    model.load_state_dict({name: value + 1 for name, value in before.items()})
    restore_(model)
    assert type(model.lm_head) is torch.nn.Linear
    assert all(torch.equal(value, before[name] + 1) for name, value in model.state_dict().items())


def converted(model: Any) -> list[str]:
    return [
        name for name, module in model.named_modules() if getattr(module, "config", None).__class__ is Config
    ]


def test_patterns_scopes_and_filters_choose_layers() -> None:
    model = small_model("llama")
    convert_(model, {"*": "lmul,e4m3,linear", "*.down_proj": "exact,e5m2", "*.1.mlp.up_proj": None})
    assert "model.layers.1.mlp.up_proj" not in converted(model)
    assert model.model.layers[0].mlp.down_proj.config == Config("exact,e5m2")
    assert model.config._attn_implementation != "lmul"
    restore_(model)
    convert_(model, {"lm_head": None, "*": "lmul,e4m3"})
    assert "lm_head" not in converted(model)
    assert model.config._attn_implementation == "lmul"
    restore_(model)
    assert not converted(model)
    convert_(model, "lmul,e4m3,linear-but-head", lambda module, name: "layers.0" in name)
    assert len(converted(model)) == 7
    convert_(model, "addm,e4m3,attention")
    assert len(converted(model)) == 7


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("lmul,e9m9z", "is no word of an arithmetic"),
        ({"model.layer.*": "lmul,e4m3"}, r"no layer is called 'model.layer.\*'"),
        ({"*": 3}, "must have words of a scheme"),
        ("full", "is converted"),
    ],
)
def test_configs_that_cannot_be_are_refused_and_change_nothing(config: Any, message: str) -> None:
    model = small_model("llama")
    with pytest.raises(UserError, match=message):
        convert_(model, config)
    assert not converted(model)


def test_a_changed_parameter_is_quantised_anew() -> None:
    layer = torch.nn.Linear(16, 4, bias=False)
    model = convert_(torch.nn.Sequential(layer), "lmul,e4m3,row")
    x = torch.randn(3, 16)
    with torch.no_grad():
        first = model(x)
        assert torch.equal(model(x), first)
        layer.weight.mul_(2)
        assert torch.equal(model(x), first * 2)
        layer.weight.data = layer.weight.data / 2
        assert torch.equal(model(x), first)
    half = model.to(torch.bfloat16)(x.to(torch.bfloat16))
    assert half.dtype == torch.bfloat16
    assert model(x[0].to(torch.bfloat16)).shape == (4,)


def test_summary_names_layers_that_are_alike_once() -> None:
    model = small_model("llama")
    convert_(model, {"*": Config("lmul,e4m3,row", "exact,e5m2xe4m3,row"), "*.1.mlp.up_proj": None})
    rows = {row.name: row for row in summary(model).rows}
    up = rows["model.layers.0.mlp.up_proj"]
    assert (up.size, up.forward, up.backward) == ("32 x 48", "lmul,e4m3,all,row", "exact,e5m2xe4m3,all,row")
    assert rows["model.layers.1.mlp.up_proj"].forward == "full"
    assert len(rows["model.layers.0-1.self_attn"].layers) == 2
    assert rows["lm_head"].kind == "head"
    lines = str(summary(model)).splitlines()
    assert lines[0].split() == ["layer", "layers", "K", "x", "N", "product", "gradients"]
    assert len(lines) == 2 + len(rows)


def test_comparison_gives_the_error_of_every_product_with_its_own_operands() -> None:
    model, x = convert_(small_model("gpt2"), "lmul,e4m3,row"), tokens()
    found = compare(model, x)
    # Two linear layers of attention and two behind it, two products of attention, twice; the output layer.
    assert len(found.products) == 2 * 6 + 1
    assert [each.name for each in found.products][:3] == [
        "transformer.h.0.attn.c_attn",
        "transformer.h.0.attn.qk",
        "transformer.h.0.attn.pv",
    ]
    assert all(0.01 < each.error < 0.2 for each in found.products)
    layer = convert_(torch.nn.Sequential(torch.nn.Linear(32, 8, bias=False)), "lmul,e4m3,row")
    rows = torch.randn(2000, 32, generator=torch.Generator().manual_seed(1))
    (product,) = compare(layer, rows).products
    exact, own = rows.double() @ layer[0].weight.double().T, layer(rows).double()
    assert product.error == pytest.approx(float(((own - exact).norm() / exact.norm()).detach()))
    assert product.bias == pytest.approx(float(((own * exact).sum() / exact.square().sum()).detach()) - 1)
    with pytest.raises(UserError, match="no layer of this model is converted"):
        compare(restore_(model), x)


@pytest.mark.parametrize("fused", [False, True])
def test_training_sees_its_own_steps(fused: bool) -> None:
    torch.manual_seed(1)
    model = convert_(torch.nn.Sequential(torch.nn.Linear(16, 1, bias=False)), "lmul,e4m3,row")
    x = torch.randn(64, 16)
    wanted = x @ torch.randn(16, 1)
    optimiser = torch.optim.AdamW(model.parameters(), lr=0.05, fused=fused)
    losses = []
    for _ in range(60):
        loss = (model(x) - wanted).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 3


def test_changes_that_pytorch_does_not_count_are_seen() -> None:
    model = convert_(torch.nn.Sequential(torch.nn.Linear(16, 4, bias=False)), "lmul,e4m3,row")
    x = torch.randn(3, 16)
    with torch.no_grad():
        first = model(x)
        model[0].weight.data.mul_(2)
        assert torch.equal(model(x), first * 2)
        model[0].weight.detach().numpy()[...] /= 2
        assert torch.equal(model(x), first)
        model[0].weight.data = model[0].weight.data.flip(0)
        assert torch.equal(model(x), first.flip(1))


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_boolean_masks_hide_what_numbers_hide(family: str) -> None:
    model, x = convert_(small_model(family), "lmul,e4m3,row"), tokens(8, 1)
    seen = torch.ones(8, 8, dtype=torch.bool).tril()[None, None]
    added = torch.zeros(1, 1, 8, 8).masked_fill(~seen, torch.finfo(torch.float32).min)
    with torch.no_grad():
        found, wanted = (model(x, attention_mask=mask, use_cache=False).logits for mask in (seen, added))
    assert torch.equal(found, wanted)


def test_one_layer_at_two_places_is_converted_at_both() -> None:
    layer = torch.nn.Linear(8, 8)
    model = convert_(torch.nn.Sequential(layer, torch.nn.ReLU(), layer), "lmul,e4m3,row")
    assert len(converted(model)) == 2
    assert model[0].weight is model[2].weight
    restore_(model)
    assert model[0] is layer is model[2]


def test_layers_whose_forward_is_another_packages_are_left_alone() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.Linear(8, 8))
    model[0].forward = model[0].forward
    convert_(model, "lmul,e4m3,row")
    assert converted(model) == ["1"]


def test_a_wrapper_of_a_model_is_refused_before_anything_is_changed() -> None:
    wrapper = torch.nn.Module()
    wrapper.inner = small_model("llama")
    with pytest.raises(UserError, match="goes through a model of transformers inside: convert that"):
        convert_(wrapper, "lmul,e4m3,row")
    assert not converted(wrapper)


def test_attention_that_goes_elsewhere_is_told() -> None:
    model, x = convert_(small_model("llama"), "lmul,e4m3,row"), tokens()
    model.set_attn_implementation("sdpa")
    assert {row.forward for row in summary(model).rows if row.kind == "attention"} == {"full"}
    assert not [each for each in compare(model, x).products if each.name.endswith(("qk", "pv"))]


def test_comparison_lists_layers_that_were_not_asked() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Linear(4, 4))
    convert_(model, "lmul,e4m3,row")
    model.forward = model[0].forward
    assert [(each.name, each.sums) for each in compare(model, torch.ones(2, 4)).products] == [
        ("0", 8),
        ("1", 0),
    ]


def test_layers_that_are_converted_go_back_to_full_precision() -> None:
    model = small_model("llama")
    convert_(model, "lmul,e4m3,row")
    convert_(model, {"lm_head": None, "*.0.self_attn": None, "*.up_proj": "exact,e4m3,row"})
    assert type(model.lm_head) is torch.nn.Linear
    attention = {row.forward: row.layers for row in summary(model).rows if row.kind == "attention"}
    assert attention["full"] == ["model.layers.0.self_attn"]
    assert model.model.layers[1].mlp.up_proj.config == Config("exact,e4m3,row")
    convert_(model, None)
    assert not converted(model)
    with pytest.raises(UserError, match="no layer of this LlamaForCausalLM is converted"):
        convert_(model, None)


def test_a_model_whose_parts_were_converted_is_restored_as_a_whole() -> None:
    model = small_model("llama")
    before = model.config._attn_implementation
    convert_(model.model, "lmul,e4m3,row")
    convert_(model, "exact,e4m3,row")
    assert model.config._attn_implementation == "lmul"
    restore_(model)
    assert model.config._attn_implementation == before
    assert not converted(model)


def test_encoder_layers_of_pytorch_call_converted_layers() -> None:
    layer = torch.nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
    model, x = torch.nn.TransformerEncoder(layer, 2).eval(), torch.randn(2, 5, 16)
    with torch.no_grad():
        plain = model(x)
        convert_(model, "lmul,e4m3,row")
        assert not torch.allclose(model(x), plain, rtol=1e-3)
        assert [each.sums for each in compare(model, x).products] == [320, 160, 320, 160]
        restore_(model)
        assert torch.equal(model(x), plain)
    assert model.layers[0].activation_relu_or_gelu == layer.activation_relu_or_gelu == 1


def test_what_was_made_of_weights_is_freed_with_the_conversion() -> None:
    model = convert_(torch.nn.Sequential(torch.nn.Linear(16, 4)), "lmul,e4m3,row")
    model(torch.ones(2, 16))
    assert model[0].weight in _ENTRIES
    restore_(model)
    assert model[0].weight not in _ENTRIES


def test_models_can_be_compared_side_by_side() -> None:
    model, other = (convert_(torch.nn.Sequential(torch.nn.Linear(4, 4)), "lmul,e4m3,row") for _ in range(2))
    model.forward = lambda x: (other(x), model[0](x))[1]
    assert [(each.name, each.sums) for each in compare(model, torch.ones(2, 4)).products] == [("0", 8)]


def test_what_has_no_layers_is_refused() -> None:
    with pytest.raises(UserError, match="this MultiheadAttention has no layer that can be converted"):
        convert_(torch.nn.MultiheadAttention(4, 2), "lmul,e4m3,row")
    model: Any = 3
    for call in (lambda: convert_(model, "lmul,e4m3,row"), lambda: restore_(model), lambda: summary(model)):
        with pytest.raises(UserError, match=r"a model must be a torch\.nn\.Module, not int"):
            call()
