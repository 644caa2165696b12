"""Trains the network of `convrs demo` on scikit-learn's handwritten digits and writes python/convrs/demo/digits.npz.

Needs torch and scikit-learn. Run from the root of the repository: python scripts/train_digits.py
"""

from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.nn import functional

SEED = 0
HELD_OUT = 360
EPOCHS = 60
BATCH = 32
TARGET = Path("python/convrs/demo/digits.npz")


class Digits(nn.Module):
    """Two convolutions and a linear layer: 8 x 8 pixels in, ten scores out."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.linear = nn.Linear(32 * 2 * 2, 10)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Scores (batch, 10) of images (batch, 1, 8, 8)."""
        hidden = functional.max_pool2d(functional.relu(self.conv1(pixels)), 2)
        hidden = functional.max_pool2d(functional.relu(self.conv2(hidden)), 2)
        return self.linear(hidden.flatten(1))


def shifted(pixels: torch.Tensor) -> torch.Tensor:
    """The images, a third of them moved by at most one pixel, so that the network does not learn places by heart."""
    down, right = (int(by) for by in torch.randint(-1, 2, (2,)))
    moved = functional.pad(pixels, (1 + right, 1 - right, 1 + down, 1 - down))[..., 1:9, 1:9]
    return torch.where(torch.rand(len(pixels), 1, 1, 1) < 1 / 3, moved, pixels)


def trained(pixels: torch.Tensor, labels: torch.Tensor) -> Digits:
    """A network fitted to the images."""
    network = Digits()
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=1e-2)
    steps = EPOCHS * -(-len(pixels) // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(EPOCHS):
        for chosen in torch.randperm(len(pixels)).split(BATCH):
            loss = functional.cross_entropy(network(shifted(pixels[chosen])), labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return network


def main() -> None:
    """Trains, measures and saves."""
    # Sums over several threads would differ from machine to machine.
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    digits = load_digits()
    # Pixels are whole numbers from 0 to 16.
    images = digits.images.astype(np.uint8)
    train, test, train_labels, test_labels = train_test_split(
        images, digits.target, test_size=HELD_OUT, stratify=digits.target, random_state=SEED
    )
    network = trained(torch.from_numpy(train[:, None] / np.float32(16)), torch.from_numpy(train_labels))
    with torch.no_grad():
        guesses = network(torch.from_numpy(test[:, None] / np.float32(16))).argmax(1)
    accuracy = float((guesses == torch.from_numpy(test_labels)).float().mean())
    weights = {name.replace(".", "_"): tensor.numpy() for name, tensor in network.state_dict().items()}
    np.savez_compressed(TARGET, images=test, labels=test_labels.astype(np.uint8), **weights)
    print(f"{accuracy:.1%} of {len(test)} held-out digits; {TARGET} has {TARGET.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
