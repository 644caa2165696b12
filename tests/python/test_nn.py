"""Planned layers: the function's own bits, and what is refused."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import convrs
import strategies
from convrs import nn
from operators import OPERATORS, Call, of

LAYERS = {
    **{f"conv{n}d": getattr(nn, f"Conv{n}d") for n in (1, 2, 3)},
    **{f"conv_transpose{n}d": getattr(nn, f"ConvTranspose{n}d") for n in (1, 2, 3)},
}
CONVOLUTIONS = of("conv", "conv_transpose")


def layer_of(call: Call, **steps: Any) -> Any:
    parameters = {name: value for name, value in call.parameters.items() if name != "out"}
    arrays = dict(call.arrays)
    arrays.pop("input")
    return LAYERS[call.operator.name].from_weights(**arrays, **parameters, **steps)


def bits(array: np.ndarray) -> bytes:
    return np.ascontiguousarray(array).tobytes()


@pytest.mark.parametrize("operator", CONVOLUTIONS, ids=str)
@given(data=st.data())
def test_a_layer_gives_the_bits_of_the_function(operator: Any, data: st.DataObject) -> None:
    call = data.draw(strategies.calls(operator, data.draw(st.sampled_from(operator.dtypes))))
    layer = layer_of(call, algorithm="direct")
    expected = call()
    actual = layer(call.input)
    assert actual.dtype == expected.dtype
    assert bits(actual) == bits(expected)
    out = np.zeros_like(expected)
    assert layer(call.input, out=out) is out
    assert bits(out) == bits(expected)


@pytest.fixture(params=["float32", "float64"])
def operands(request: pytest.FixtureRequest) -> list[np.ndarray]:
    generator = np.random.default_rng(0)
    shapes = [(2, 3, 9, 21), (5, 3, 3, 3), (5,), (2, 5, 9, 21)]
    return [generator.standard_normal(shape).astype(request.param) for shape in shapes]


def test_any_batch_and_size_with_one_layer(operands: list[np.ndarray]) -> None:
    _, weight, bias, _ = operands
    layer = nn.Conv2d.from_weights(weight, bias, stride=2, algorithm="direct")
    generator = np.random.default_rng(1)
    for shape in [(1, 3, 3, 3), (4, 3, 31, 7), (3, 50, 50), (0, 3, 8, 8)]:
        input = generator.standard_normal(shape).astype(weight.dtype)
        np.testing.assert_array_equal(layer(input), convrs.conv2d(input, weight, bias, stride=2))


def test_tensors_in_tensors_out(operands: list[np.ndarray]) -> None:
    input, weight, bias, residual = map(torch.from_numpy, operands)
    layer = nn.Conv2d.from_weights(weight, bias, padding=1)
    result = layer(input, residual)
    assert isinstance(result, torch.Tensor)
    np.testing.assert_array_equal(result.numpy(), layer(input.numpy(), residual.numpy()))
    half = nn.Conv2d.from_weights(weight.bfloat16(), bias.bfloat16(), padding=1)
    assert half(input.bfloat16()).dtype == torch.bfloat16


def test_a_layer_draws_its_weights_as_torch_does() -> None:
    layer = nn.Conv2d(12, 20, (3, 5), groups=4)
    assert layer.weight.shape == torch.nn.Conv2d(12, 20, (3, 5), groups=4).weight.shape
    assert layer.bias is not None
    bound = 1 / np.sqrt(3 * 3 * 5)
    assert 0.9 * bound < np.abs(layer.weight).max() <= bound
    assert nn.ConvTranspose1d(6, 4, 3, groups=2, bias=False).bias is None
    transposed = torch.nn.ConvTranspose1d(6, 4, 3, groups=2)
    assert nn.ConvTranspose1d(6, 4, 3, groups=2).weight.shape == transposed.weight.shape


def test_weights_cannot_be_changed_behind_the_plan() -> None:
    weight = np.ones((1, 1, 2), np.float32)
    layer = nn.Conv1d.from_weights(weight)
    weight[:] = 7
    np.testing.assert_array_equal(layer(np.ones((1, 3), np.float32)), [[2, 2]])
    with pytest.raises(ValueError, match="read-only"):
        layer.weight[0] = 7


def test_a_plan_says_what_will_be_done() -> None:
    plan = nn.Conv2d(64, 64, 3, padding=1).plan((1, 64, 56, 56))
    assert plan.multiply_adds == 64 * 56 * 56 * 64 * 9
    assert plan.scratch_bytes <= 8 << 20
    assert plan.algorithm in str(plan)


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: nn.Conv2d.from_weights(np.ones((2, 2, 3), np.float32)), ValueError, "weight has shape"),
        (lambda: nn.Conv1d.from_weights(np.ones((2, 2, 3)), np.ones(3)), ValueError, "2 output channels"),
        (lambda: nn.Conv1d.from_weights(np.ones((2, 2, 3)), np.ones(2, np.float32)), TypeError, "float64"),
        (lambda: nn.Conv1d.from_weights(np.ones((2, 2, 3)), activation="rellu"), ValueError, "rellu"),
        (lambda: nn.Conv1d.from_weights(np.ones((2, 2, 3)), activation=("clamp", 1)), ValueError, "least and"),
        (lambda: nn.Conv1d.from_weights(np.ones((2, 2, 3)), activation=("prelu", [1, 2, 3])), ValueError, "2 output"),
        (lambda: nn.Conv1d.from_weights(np.ones((2, 2, 3)), activation=7), TypeError, "activation"),
        (lambda: nn.Conv1d.from_weights(np.ones((2, 2, 3), np.int8), activation="relu"), TypeError, "int8"),
        (lambda: nn.Conv1d.from_weights(np.ones((2, 2, 3)), padding_mode="mirror"), ValueError, "mirror"),
        (lambda: nn.ConvTranspose1d(2, 2, 3, padding_mode="circular"), ValueError, "zeros"),
        (lambda: nn.Conv1d(2, 2, 0), ValueError, "kernel_size"),
        (lambda: nn.Conv1d(2, 2, 1, groups=0), ValueError, "groups must be at least 1"),
        (
            lambda: nn.Conv1d(3, 4, 1, groups=2),
            ValueError,
            "in_channels must be .* groups = 2, got 3",
        ),
        (lambda: nn.Conv1d(4, 3, 1, groups=2), ValueError, "positive multiple of groups = 2"),
        (lambda: nn.ConvTranspose1d(4, 3, 1, groups=2), ValueError, "out_channels must be a positive multiple"),
        # What no input could mend is refused before there is one.
        (lambda: nn.Conv1d.from_weights(np.ones((2, 2, 3)), stride=0), ValueError, "stride must be at least 1"),
        (lambda: nn.Conv1d.from_weights(np.ones((2, 2, 3)), padding=-1), ValueError, "padding must be at least 0"),
        (lambda: nn.Conv1d.from_weights(np.ones((2, 2, 3)), dilation=0), ValueError, "dilation must be at least 1"),
        (lambda: nn.Conv1d.from_weights(np.ones((3, 2, 3)), groups=2), ValueError, "multiple of groups = 2"),
        (lambda: nn.Conv1d.from_weights(np.ones((2, 2, 0))), ValueError, "kernel size must be at least 1"),
        (lambda: nn.ConvTranspose1d.from_weights(np.ones((3, 2, 3)), groups=2), ValueError, "multiple of groups = 2"),
        (lambda: nn.ConvTranspose1d.from_weights(np.ones((2, 2, 3)), output_padding=1), ValueError, "output_padding"),
        (lambda: nn.CausalConv1d.from_weights(np.ones(3)), ValueError, r"weight has shape \(3,\)"),
        (lambda: nn.CausalConv1d.from_weights(np.ones((2, 3)), dilation=0), ValueError, "dilation must be at least 1"),
        (lambda: nn.Conv1d(2, 2, 3)(np.ones((1, 2, 9))), TypeError, r"dtype of the layer's weight, float32"),
        (lambda: nn.Conv1d(2, 2, 3)(np.ones((1, 3, 9), np.float32)), ValueError, "3 channels"),
        (lambda: nn.Conv1d(2, 2, 3)(np.ones((1, 2, 2), np.float32)), ValueError, "kernel size 3 is too large"),
        (
            lambda: nn.Conv1d(2, 2, 3)(np.ones((1, 2, 9), np.float32), np.ones((1, 2, 9), np.float32)),
            ValueError,
            r"residual has shape \[1, 2, 9\]",
        ),
        (lambda: nn.Conv1d(2, 2, 3).plan((2, 2, 2, 2)), ValueError, "3 axes"),
    ],
)
def test_refusals_say_what_is_wrong(make: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        make()


@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.Conv1d.from_weights(np.ones((2, 2, 3)), stride=10**12, dilation=10**12, padding=10**12),
        lambda: nn.Conv2d.from_weights(np.ones((2, 2, 3, 3)), padding=2, padding_mode="reflect"),
        lambda: nn.Conv2d.from_weights(np.ones((2, 2, 3, 3)), padding=((0, 5), (2, 0)), padding_mode="circular"),
        lambda: nn.Conv3d.from_weights(np.ones((2, 0, 3, 3, 3)), padding="same", stride=2),
        lambda: nn.ConvTranspose2d.from_weights(np.ones((2, 2, 1, 1)), padding=7),
        lambda: nn.ConvTranspose1d.from_weights(np.ones((2, 2, 3)), stride=10**12, padding=10**6, output_padding=5),
    ],
)
def test_what_some_input_fits_is_taken(make: Any) -> None:
    assert make() is not None


def test_every_convolution_has_a_layer() -> None:
    assert LAYERS.keys() == {name for name in OPERATORS if name.startswith("conv")}


def test_a_layer_serves_many_shapes_at_once() -> None:
    generator = np.random.default_rng(0)
    weight = generator.standard_normal((8, 3, 3, 3), np.float32)
    layer = nn.Conv2d.from_weights(weight, padding=1, algorithm="direct")
    inputs = [generator.standard_normal((1, 3, 4 + number % 5, 6), np.float32) for number in range(200)]
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(layer, inputs))
    assert [bits(result) for result in results] == [bits(convrs.conv2d(x, weight, padding=1)) for x in inputs]


# --- algorithms ---


def test_winograd_by_name_and_by_itself() -> None:
    generator = np.random.default_rng(0)
    input = generator.standard_normal((2, 32, 20, 23)).astype(np.float32)
    weight = generator.standard_normal((48, 32, 3, 3)).astype(np.float32)
    direct = convrs.conv2d(input, weight, padding=1)
    named = nn.Conv2d.from_weights(weight, padding=1, algorithm="winograd")
    itself = nn.Conv2d.from_weights(weight, padding=1)
    assert named.plan(input.shape).algorithm == itself.plan(input.shape).algorithm == "winograd"
    result = named(input)
    assert bits(result) == bits(itself(input)) == bits(convrs.conv2d(input, weight, padding=1, algorithm="winograd"))
    assert bits(result) != bits(direct)
    exact = convrs.conv2d(input.astype(np.float64), weight.astype(np.float64), padding=1)
    # The error of either is a small multiple of the rounding of its sums; docs of `nn.Conv2d`: about twice direct's.
    assert np.abs(result - exact).max() <= 2.5 * np.abs(direct - exact).max()


def test_a_named_algorithm_is_refused_where_it_is_impossible() -> None:
    with pytest.raises(ValueError, match=r"winograd.*3 x 3|winograd.*3x3|winograd needs"):
        nn.Conv2d.from_weights(np.ones((2, 2, 5, 5), np.float32), algorithm="winograd")
    with pytest.raises(ValueError, match="winograd needs"):
        convrs.conv1d(np.ones((1, 2, 9), np.float32), np.ones((2, 2, 2), np.float32), algorithm="winograd")
    with pytest.raises(ValueError, match='"auto", "direct"'):
        convrs.conv1d(np.ones((1, 2, 9), np.float32), np.ones((2, 2, 3), np.float32), algorithm="gemm")  # type: ignore[arg-type]


@pytest.mark.parametrize("dilation", [1, 5])
def test_winograd_of_a_kernel_of_three_taps(dilation: int) -> None:
    generator = np.random.default_rng(dilation)
    weight = generator.standard_normal((64, 96, 3), np.float32)
    input = generator.standard_normal((2, 96, 401), np.float32)
    layers = [
        nn.Conv1d.from_weights(weight, padding=5, dilation=dilation, algorithm=algorithm)
        for algorithm in ("auto", "winograd", "direct")
    ]
    assert [layer.plan(input.shape).algorithm for layer in layers] == ["winograd", "winograd", "direct"]
    auto, named, direct = (layer(input) for layer in layers)
    assert bits(auto) == bits(named) != bits(direct)
    wide = (array.astype(np.float64) for array in (input, weight))
    exact = convrs.conv1d(*wide, padding=5, dilation=dilation)
    assert np.abs(named - exact).max() <= 2.5 * np.abs(direct - exact).max()


@pytest.mark.parametrize("special", [np.inf, -np.inf, np.nan])
def test_winograd_keeps_infinities_and_nan_where_they_are(special: float) -> None:
    generator = np.random.default_rng(1)
    input = generator.standard_normal((1, 16, 18, 18)).astype(np.float32)
    input[0, 3, 7, 9] = special
    weight = generator.standard_normal((16, 16, 3, 3)).astype(np.float32)
    direct = convrs.conv2d(input, weight, padding=1)
    result = convrs.conv2d(input, weight, padding=1, algorithm="winograd")
    np.testing.assert_array_equal(np.isfinite(result), np.isfinite(direct))
    np.testing.assert_array_equal(result[~np.isfinite(result)], direct[~np.isfinite(direct)])


# --- causal convolutions ---


@given(data=st.data())
def test_a_causal_sequence_has_the_same_bits_whole_in_chunks_and_in_steps(data: st.DataObject) -> None:
    generator = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    channels, kernel, time = data.draw(st.integers(1, 40)), data.draw(st.integers(1, 6)), data.draw(st.integers(1, 70))
    depthwise, dilation = data.draw(st.booleans()), data.draw(st.integers(1, 3))
    batch = data.draw(st.sampled_from([(), (1,), (3,)]))
    dtype = data.draw(st.sampled_from(["float32", "float64", "float16", "int16"]))
    weight = strategies.values(generator, (channels, 1 if depthwise else channels, kernel), dtype)
    sequence = strategies.values(generator, (*batch, channels, time), dtype)
    bias = strategies.values(generator, (channels,), dtype)
    layer = nn.CausalConv1d.from_weights(weight, bias, dilation, channels if depthwise else 1)
    whole = layer(sequence)
    padded = np.concatenate([np.zeros((*batch, channels, layer.span), dtype), sequence], axis=-1)
    groups = channels if depthwise else 1
    assert bits(whole) == bits(convrs.conv1d(padded, weight, bias, dilation=dilation, groups=groups))
    steps = np.stack([layer.step(sequence[..., at]) for at in range(time)], axis=-1)
    assert bits(steps) == bits(whole)
    layer.reset()
    cuts = sorted(data.draw(st.lists(st.integers(0, time), max_size=4)))
    chunks = [layer.extend(chunk) for chunk in np.split(sequence, cuts, axis=-1)]
    assert bits(np.concatenate(chunks, axis=-1)) == bits(whole)


def test_the_state_of_a_causal_layer_can_be_kept_and_given_back() -> None:
    generator = np.random.default_rng(0)
    layer = nn.CausalConv1d.from_weights(generator.standard_normal((4, 3)).astype(np.float32), activation="silu")
    sequence = generator.standard_normal((2, 4, 9)).astype(np.float32)
    whole = layer(sequence)
    layer.extend(sequence[..., :5])
    state = layer.state
    layer.reset()
    layer.state = state
    np.testing.assert_array_equal(layer.extend(sequence[..., 5:]), whole[..., 5:])
    with pytest.raises(ValueError, match="reset"):
        layer.step(np.zeros((3, 4), np.float32))
    with pytest.raises(ValueError, match="last 2 inputs"):
        layer.state = np.zeros((2, 4, 3), np.float32)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32], ids=str)
def test_a_causal_layer_answers_in_tensors(dtype: torch.dtype) -> None:
    weight, sequence = torch.randn(4, 3).to(dtype), torch.randn(2, 4, 9).to(dtype)
    layer = nn.CausalConv1d.from_weights(weight)
    whole = layer(sequence)
    parts = [layer.extend(sequence[..., :5]), *(layer.step(sequence[..., time])[..., None] for time in range(5, 9))]
    assert torch.equal(torch.cat(parts, -1), whole)
    assert layer.state.dtype == dtype
    assert torch.equal(layer.state, sequence[..., 7:])
    assert layer.extend(sequence[..., :0]).shape == (2, 4, 0)
    state = layer.state
    layer.reset()
    layer.state = state
    state.zero_()
    assert torch.equal(layer.state, sequence[..., 7:])
    with pytest.raises(TypeError, match=r"one library.*chunk: ndarray of numpy.*state: Tensor of torch"):
        layer.extend(np.zeros((2, 4, 3), np.float32))
    with pytest.raises(TypeError, match="must have the dtype of the layer's weight"):
        layer.extend(torch.zeros(2, 4, 3, dtype=torch.float64))
    with pytest.raises(ValueError, match="float64: it holds the last 2 inputs"):
        layer.state = torch.zeros(2, 4, 2, dtype=torch.float64)
    with pytest.raises(ValueError, match="float64: it holds the last 2 inputs"):
        layer.state = [[[0.0, 0.0]] * 4] * 2


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@given(data=st.data())
def test_fft_is_near_the_convolution(dtype: str, data: st.DataObject) -> None:
    taps = data.draw(st.integers(1, 600))
    generator = np.random.default_rng(data.draw(st.integers(0, 1000)))
    channels, size = data.draw(st.integers(1, 3)), taps + data.draw(st.integers(0, 5000))
    input = generator.standard_normal((channels, size)).astype(dtype)
    weight = generator.standard_normal((2, channels, taps)).astype(dtype)
    layer = nn.Conv1d.from_weights(weight, algorithm="fft")
    assert layer.plan(input.shape).algorithm == "fft"
    rows = input.astype(np.float64)
    exact = np.stack(
        [
            sum(np.convolve(row, kernel[::-1], "valid") for row, kernel in zip(rows, kernels, strict=True))
            for kernels in weight.astype(np.float64)
        ]
    )
    # The documented bound, for at most 2^16 elements, and the rounding to the dtype.
    norm = np.sqrt((input.astype(np.float64) ** 2).sum(1)) @ np.abs(weight.astype(np.float64)).sum(2).T
    slack = 21 * 16 * 2.0**-53 * norm[:, None] + np.abs(exact) * np.finfo(dtype).eps * 1.01
    assert (np.abs(layer(input) - exact) <= slack).all()


def test_fft_is_refused_where_it_is_impossible() -> None:
    with pytest.raises(ValueError, match="kernels of size 1 along depth"):
        nn.Conv3d.from_weights(np.ones((1, 1, 2, 3, 3)), algorithm="fft")
    with pytest.raises(ValueError, match="fft needs floats"):
        nn.Conv1d.from_weights(np.ones((1, 1, 3), np.int16), algorithm="fft")
    with pytest.raises(ValueError, match="a plain one"):
        nn.ConvTranspose1d.from_weights(np.ones((1, 1, 3)), algorithm="fft")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_a_layer_of_tensors_shows_tensors(dtype: torch.dtype) -> None:
    weight, bias = torch.randn(4, 3, 3, dtype=dtype), torch.randn(4, dtype=dtype)
    causal = nn.CausalConv1d.from_weights(weight, bias)
    for layer in (nn.Conv1d.from_weights(weight, bias), nn.Conv1d.from_weights(weight, bias).to("cpu"), causal):
        assert torch.equal(layer.weight, weight)
        assert torch.equal(layer.bias, bias)
        # They are copies: nobody can change them behind the packed ones.
        layer.weight.zero_()
        assert torch.equal(layer.weight, weight)
    assert nn.Conv1d.from_weights(weight).bias is None
    drawn = nn.Conv1d(3, 4, 3, dtype=dtype)
    assert drawn.weight.dtype == dtype
    assert f"dtype={str(dtype).removeprefix('torch.')}" in repr(drawn)
    assert type(nn.Conv1d.from_weights(weight.float().numpy()).weight) is np.ndarray
