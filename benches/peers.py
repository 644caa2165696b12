"""The engines of vs_peers.py: one function each, from a layer to a call without arguments that computes it.

Each is set up as its own documentation advises for speed: weights prepared and graphs compiled before the first call,
outputs reused where the engine allows it, float32 throughout, arrays in NCHW order in and out.
"""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from layers import Layer
from timing import seconds_of

import convrs

Call = Callable[[], Any]


def with_convrs(layer: Layer, threads: int) -> Call | None:
    """The functional call, which packs its weights anew each time; nothing follows its sum."""
    if not layer.alone:
        return None
    convrs.set_num_threads(threads)
    function, operands, params = getattr(convrs, layer.op), layer.operands, layer.params
    return lambda: function(*operands, **params)


def with_planned(layer: Layer, threads: int) -> Call | None:
    """The layer of convrs.nn: weights packed once, the output reused."""
    if layer.weight is None:
        return None
    import convrs.nn

    convrs.set_num_threads(threads)
    kind = "Conv" if layer.kind == "conv" else "ConvTranspose"
    planned = getattr(convrs.nn, f"{kind}{layer.rank}d").from_weights(
        layer.weight, None, **layer.params, activation=layer.activation
    )
    x, residual = layer.input, layer.residual
    out = planned(x, residual)
    return lambda: planned(x, residual, out=out)


def torch_call(layer: Layer, tensor: Callable[[np.ndarray], torch.Tensor]) -> Call:
    operands = [tensor(array) for array in layer.operands]
    if layer.alone:
        function, params = getattr(torch.nn.functional, layer.op), layer.params
        return lambda: function(*operands, **params)
    residual = None if layer.residual is None else tensor(layer.residual)
    return lambda: layer.torch_result(residual, *operands)


def with_torch(layer: Layer, threads: int) -> Call:
    torch.set_num_threads(threads)
    return torch_call(layer, torch.from_numpy)


def with_channels_last(layer: Layer, threads: int) -> Call | None:
    """Torch with its data already in NHWC order: a head start, since nobody converts it."""
    memory_format = {2: torch.channels_last, 3: torch.channels_last_3d}.get(layer.rank)
    if memory_format is None:
        return None
    torch.set_num_threads(threads)
    return torch_call(layer, lambda array: torch.from_numpy(array).to(memory_format=memory_format))


def onnx_model(layer: Layer) -> bytes:
    """The layer as an ONNX graph: a node, and those of what follows it, which runtimes fuse if they can."""
    from onnx import TensorProto, helper, numpy_helper

    window = {"kernel_shape": layer.kernel, "strides": layer.stride, "pads": layer.sizes("padding", 0) * 2}
    products = {"dilations": layer.sizes("dilation", 1), "group": layer.groups}
    operator, attributes = {
        "conv": ("Conv", window | products),
        "conv_transpose": ("ConvTranspose", window | products | {"output_padding": layer.sizes("output_padding", 0)}),
        "max_pool": ("MaxPool", window),
        "avg_pool": ("AveragePool", window | {"count_include_pad": 1}),
        "adaptive_avg_pool": ("GlobalAveragePool", {}),
    }[layer.kind]
    weights = [] if layer.weight is None else [numpy_helper.from_array(layer.weight, "w")]
    nodes = [helper.make_node(operator, ["x", *(weight.name for weight in weights)], ["sums"], **attributes)]
    last = "sums"
    if layer.residual is not None:
        nodes.append(helper.make_node("Add", [last, "residual"], ["added"]))
        last = "added"
    if layer.activation == "relu6":
        weights += [numpy_helper.from_array(np.float32(limit), name) for name, limit in (("least", 0), ("most", 6))]
    nodes += [
        helper.make_node(kind, [name or last for name in inputs], [output])
        for kind, inputs, output in {
            None: [],
            "relu": [("Relu", [""], "activated")],
            "relu6": [("Clip", ["", "least", "most"], "activated")],
            "silu": [("Sigmoid", [""], "sigmoid"), ("Mul", ["", "sigmoid"], "activated")],
            "gelu": [("Gelu", [""], "activated")],
        }[layer.activation]
    ]
    nodes[-1].output[0] = "y"
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, array.shape) for name, array in inputs_of(layer).items()
    ]
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [None] * layer.input.ndim)
    graph = helper.make_graph(nodes, layer.name, inputs, [y], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9).SerializeToString()


def inputs_of(layer: Layer) -> dict[str, np.ndarray]:
    return {"x": layer.input} | ({} if layer.residual is None else {"residual": layer.residual})


def with_onnxruntime(layer: Layer, threads: int) -> Call:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(onnx_model(layer), options, providers=["CPUExecutionProvider"])
    (out,) = session.run(None, inputs_of(layer))
    binding = session.io_binding()
    for name, array in inputs_of(layer).items():
        binding.bind_ortvalue_input(name, onnxruntime.OrtValue.ortvalue_from_numpy(array))
    result = onnxruntime.OrtValue.ortvalue_from_numpy(out)
    binding.bind_ortvalue_output("y", result)

    def call() -> Any:
        session.run_with_iobinding(binding)
        return result

    return call


def with_openvino(layer: Layer, threads: int) -> Call:
    import openvino

    settings = {
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": "f32",
        "PERFORMANCE_HINT": "LATENCY",
    }
    core = openvino.Core()
    request = core.compile_model(core.read_model(onnx_model(layer)), "CPU", settings).create_infer_request()
    for name, array in inputs_of(layer).items():
        request.set_tensor(name, openvino.Tensor(array, shared_memory=True))
    out = request.get_output_tensor()

    def call() -> np.ndarray:
        request.start_async()
        request.wait()
        return out.data

    return call


def ncnn_axes(key: int, sizes: tuple[int, ...]) -> dict[int, int]:
    """Numbers of one parameter in ncnn's numbering: the innermost axis first, ten further on the next."""
    return {key + 10 * axis: size for axis, size in enumerate(reversed(sizes))}


def ncnn_layer(layer: Layer) -> tuple[str, dict[int, int], np.ndarray | None]:
    """Type, numbered parameters and weights of the layer in ncnn's own format."""
    dimension = {1: "1D", 2: "", 3: "3D"}[layer.rank]
    padding = layer.sizes("padding", 0)
    if layer.weight is None:
        average = {"max_pool": 0, "avg_pool": 1, "adaptive_avg_pool": 1}[layer.kind]
        window = ncnn_axes(1, layer.kernel) | ncnn_axes(2, layer.stride) | ncnn_axes(3, padding)
        return f"Pooling{dimension}", {0: average, 5: 1, 6: 1} | window, None
    depthwise = "DepthWise" if layer.groups > 1 else ""
    outputs, weight = layer.weight.shape[0], layer.weight
    parameters = ncnn_axes(1, layer.kernel) | ncnn_axes(2, layer.sizes("dilation", 1)) | ncnn_axes(3, layer.stride)
    parameters |= ncnn_axes(4, padding) | {6: weight.size} | ({7: layer.groups} if depthwise else {})
    if layer.kind == "conv":
        return f"Convolution{depthwise}{dimension}", {0: outputs} | parameters, weight
    outputs = weight.shape[1] * layer.groups
    weight = weight.reshape(layer.groups, -1, *weight.shape[1:]).swapaxes(1, 2)
    beyond = {18 + axis: size for axis, size in enumerate(reversed(layer.sizes("output_padding", 0)))}
    return f"Deconvolution{depthwise}{dimension}", {0: outputs} | parameters | beyond, weight


def ncnn_net(layer: Layer) -> tuple[list[str], np.ndarray | None]:
    """The lines of a net in ncnn's own format, and its weights; what ncnn can fuse is fused."""
    kind, parameters, weight = ncnn_layer(layer)
    numbers = [f"{key}={value}" for key, value in parameters.items()]
    fused = {"relu": "9=1", "relu6": "9=3 -23310=2,0.0,6.0"}.get(layer.activation or "")
    steps = []
    if layer.residual is not None:
        steps.append("BinaryOp {} 2 1 {} residual {} 0=0")
    elif fused is not None:
        numbers.append(fused)
    if layer.activation is not None and (layer.residual is not None or fused is None):
        follower = {"relu": "ReLU", "relu6": "Clip", "silu": "Swish", "gelu": "GELU"}[layer.activation]
        steps.append(f"{follower} {{}} 1 1 {{}} {{}}{' 0=0.0 1=6.0' if follower == 'Clip' else ''}")
    inputs = [f"Input {name} 0 1 {name}" for name in inputs_of(layer)]
    names = ["x", *(f"step{number}" for number in range(len(steps))), "y"]
    steps = [f"{kind} {{}} 1 1 {{}} {{}} {' '.join(numbers)}", *steps]
    lines = [step.format(after, before, after) for step, before, after in zip(steps, names, names[1:], strict=False)]
    return [*inputs, *lines], weight


def with_ncnn(layer: Layer, threads: int) -> Call:
    """One image after the other: ncnn knows no batch."""
    import ncnn

    lines, weight = ncnn_net(layer)
    net = ncnn.Net()
    net.opt.num_threads = threads
    for half in ("fp16_packed", "fp16_storage", "fp16_arithmetic", "bf16_packed", "bf16_storage"):
        setattr(net.opt, f"use_{half}", False)
    net.load_param_mem("\n".join(["7767517", f"{len(lines)} {len(lines)}", *lines, ""]))
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "weights.bin"
        model.write_bytes(b"" if weight is None else bytes(4) + np.ascontiguousarray(weight).tobytes())
        net.load_model(str(model))
    images = [
        {name: ncnn.Mat(array[number]) for name, array in inputs_of(layer).items()}
        for number in range(len(layer.input))
    ]

    def one(image: dict[str, Any]) -> np.ndarray:
        extractor = net.create_extractor()
        for name, array in image.items():
            extractor.input(name, array)
        return np.asarray(extractor.extract("y")[1])

    return lambda: [one(image) for image in images]


def with_scipy(layer: Layer, threads: int) -> Call | None:
    """Filters of one channel, by the quickest of SciPy's functions on this very layer."""
    if layer.kind != "conv" or layer.weight.shape[:2] != (1, 1) or max(layer.sizes("dilation", 1)) > 1:
        return None
    if not layer.alone:
        return None
    from scipy import fft, ndimage, signal

    images, kernel = layer.input[:, 0], layer.weight[0, 0]
    padding, steps = layer.sizes("padding", 0), tuple(slice(None, None, step) for step in layer.stride)
    flipped = np.flip(kernel)

    def convolved(function: Callable[..., np.ndarray], image: np.ndarray) -> np.ndarray:
        return function(np.pad(image, [(size, size) for size in padding]), flipped, mode="valid")[steps]

    def filtered(image: np.ndarray) -> np.ndarray:
        inside = tuple(
            slice(taps // 2 - size, length + size - (taps - 1) // 2)
            for taps, size, length in zip(kernel.shape, padding, image.shape, strict=True)
        )
        return ndimage.correlate(image, kernel, mode="constant")[inside][steps]

    def whole(function: Callable[[np.ndarray], np.ndarray]) -> Call:
        def call() -> list[list[np.ndarray]]:
            with fft.set_workers(threads):
                return [[function(image)] for image in images]

        return call

    calls = [
        whole(lambda image, function=function: convolved(function, image))
        for function in (signal.oaconvolve, signal.fftconvolve, np.convolve if layer.rank == 1 else signal.convolve2d)
    ]
    if all(2 * size < taps for size, taps in zip(padding, kernel.shape, strict=True)):
        calls.append(whole(filtered))
    return min(calls, key=seconds_of)


@dataclass(frozen=True)
class Engine:
    """How a layer is prepared, and the modules without which the engine is left out."""

    prepare: Callable[[Layer, int], Call | None]
    modules: tuple[str, ...] = ()

    @property
    def missing(self) -> list[str]:
        return [name for name in self.modules if importlib.util.find_spec(name) is None]


PEERS = {
    "torch": Engine(with_torch),
    "torch_cl": Engine(with_channels_last),
    "ort": Engine(with_onnxruntime, ("onnxruntime", "onnx")),
    "openvino": Engine(with_openvino, ("openvino", "onnx")),
    "ncnn": Engine(with_ncnn, ("ncnn",)),
    "scipy": Engine(with_scipy, ("scipy",)),
}
OURS = {"convrs": Engine(with_convrs), "planned": Engine(with_planned, ("convrs.nn",))}
