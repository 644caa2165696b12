"""Whole networks at inference: torch eager beside the same model accelerated by `convrs.torch`, end to end.

python benches/networks.py [--only NAME] [--rounds N] [--threads N] [--report]

The networks have the shapes of published ones (MTCNN's O-net, MobileNetV2, ResNet-50) and random weights.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import timing
import torch
from torch import Tensor, nn

import convrs
import convrs.torch


class Sum(nn.Module):
    """What a residual block adds to its input."""

    def __init__(self, steps: nn.Module) -> None:
        super().__init__()
        self.steps = steps

    def forward(self, input: Tensor) -> Tensor:
        return input + self.steps(input)


class Onet(nn.Module):
    """The third network of MTCNN (Zhang et al., arXiv:1604.02878), in the sizes of its usual ports."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.steps = nn.Sequential(
            *(nn.Conv2d(3, width, 3), nn.PReLU(width), nn.MaxPool2d(3, 2, ceil_mode=True)),
            *(nn.Conv2d(width, 2 * width, 3), nn.PReLU(2 * width), nn.MaxPool2d(3, 2, ceil_mode=True)),
            *(nn.Conv2d(2 * width, 2 * width, 3), nn.PReLU(2 * width), nn.MaxPool2d(2, 2, ceil_mode=True)),
            *(nn.Conv2d(2 * width, 4 * width, 2), nn.PReLU(4 * width), nn.Flatten()),
            *(nn.Linear(36 * width, 8 * width), nn.PReLU(8 * width)),
        )
        self.heads = nn.ModuleList(nn.Linear(8 * width, outputs) for outputs in (2, 4, 10))

    def forward(self, input: Tensor) -> Tensor:
        features = self.steps(input)
        return torch.cat([head(features) for head in self.heads], 1)


def mobilenet(width: int = 32, classes: int = 1000) -> nn.Module:
    """MobileNetV2 (Sandler et al., arXiv:1801.04381); `width` is that of its first layer."""

    def step(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> list[nn.Module]:
        convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
        return [convolution, nn.BatchNorm2d(outputs), nn.ReLU6(inplace=True)]

    blocks: list[nn.Module] = step(3, width, 3, 2)
    inputs = width
    for expansion, eighths, repeats, first_stride in (
        *((1, 4, 1, 1), (6, 6, 2, 2), (6, 8, 3, 2), (6, 16, 4, 2)),
        *((6, 24, 3, 1), (6, 40, 3, 2), (6, 80, 1, 1)),
    ):
        outputs = width * eighths // 8
        for repeat in range(repeats):
            inner, stride = inputs * expansion, first_stride if repeat == 0 else 1
            steps = step(inputs, inner, 1) if expansion > 1 else []
            steps += step(inner, inner, 3, stride, inner)
            steps += step(inner, outputs, 1)[:2]
            block = nn.Sequential(*steps)
            blocks.append(Sum(block) if stride == 1 and inputs == outputs else block)
            inputs = outputs
    return nn.Sequential(
        *blocks, *step(inputs, 40 * width, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(40 * width, classes)
    )


class Bottleneck(nn.Module):
    """A block of ResNet-50, with one activation module for its three activations."""

    def __init__(self, inputs: int, inner: int, stride: int) -> None:
        super().__init__()
        outputs = 4 * inner
        self.conv1, self.bn1 = nn.Conv2d(inputs, inner, 1, bias=False), nn.BatchNorm2d(inner)
        self.conv2, self.bn2 = nn.Conv2d(inner, inner, 3, stride, 1, bias=False), nn.BatchNorm2d(inner)
        self.conv3, self.bn3 = nn.Conv2d(inner, outputs, 1, bias=False), nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.downsample: nn.Module | None = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, input: Tensor) -> Tensor:
        result = self.relu(self.bn1(self.conv1(input)))
        result = self.relu(self.bn2(self.conv2(result)))
        result = self.bn3(self.conv3(result))
        result += input if self.downsample is None else self.downsample(input)
        return self.relu(result)


def resnet(width: int = 64, blocks: tuple[int, ...] = (3, 4, 6, 3), classes: int = 1000) -> nn.Module:
    """ResNet-50 (He et al., arXiv:1512.03385), with the stride in the 3x3 layer as most ports have it."""
    steps: list[nn.Module] = [nn.Conv2d(3, width, 7, 2, 3, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
    steps.append(nn.MaxPool2d(3, 2, 1))
    inputs = width
    for stage, repeats in enumerate(blocks):
        inner = width << stage
        for repeat in range(repeats):
            steps.append(Bottleneck(inputs, inner, 2 if stage and not repeat else 1))
            inputs = 4 * inner
    return nn.Sequential(*steps, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, classes))


NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "onet.b32": (Onet, (32, 3, 48, 48)),
    "mobilenetv2": (mobilenet, (1, 3, 224, 224)),
    "resnet50": (resnet, (1, 3, 224, 224)),
}
"""What is measured, with the shape of its input."""


def prepared(network: nn.Module) -> nn.Module:
    """For inference, with means and variances as training leaves them: neither zero nor one."""
    generator = torch.Generator().manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-0.5, 0.5, generator=generator)
            module.running_var.uniform_(0.5, 2, generator=generator)
    return network.eval()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="networks whose name holds this text")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--report", action="store_true", help="also print every layer with its time")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    convrs.set_num_threads(arguments.threads)
    print(timing.head(arguments.threads, "torch"))
    others = timing.Others()
    print(f"{'network':<14}{'torch ms':>10}{'all ms':>10}{'ratio':>7}{'faster ms':>11}{'ratio':>7}")
    for name, (build, shape) in NETWORKS.items():
        if arguments.only in name:
            measure(name, build, shape, arguments)
    print(others)


def measure(name: str, build: Callable[[], nn.Module], shape: tuple[int, ...], arguments: argparse.Namespace) -> None:
    """One line of the table: all layers replaced, and those alone that are faster."""
    torch.manual_seed(0)
    model, image = prepared(build()), torch.randn(shape)
    every = convrs.torch.accelerate(model)
    faster = convrs.torch.accelerate(model, faster_on=image)
    with torch.inference_mode():
        exact = model.double()(image.double())
        model.float()
        allowed = 8 * (model(image) - exact).abs().max()
        for network in (every, faster):
            assert (network(image) - exact).abs().max() <= allowed, f"{name} differs from torch"
        calls = {"torch": model, "every": every, "faster": faster}
        bound = {key: (lambda network=network: network(image)) for key, network in calls.items()}
        seconds = timing.in_turn(bound, arguments.rounds)
    line = f"{name:<14}{seconds['torch'] * 1e3:>10.2f}"
    for key, width in (("every", 10), ("faster", 11)):
        line += f"{seconds[key] * 1e3:>{width}.2f}{seconds['torch'] / seconds[key]:>7.2f}"
    print(line)
    if arguments.report:
        print(convrs.torch.report(faster, image))


if __name__ == "__main__":
    main()
