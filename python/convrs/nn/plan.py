"""What a layer says about how it would compute an input."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """How a layer computes an input of one shape.

    Attributes:
        algorithm: "direct", "winograd" or "fft".
        vectors_hold: what lies in the lanes of a vector: "output channels",
            "output pixels" or "frequencies".
        lanes: elements of a vector.
        tile: outputs of a tile, one number a spatial axis.
        tasks: pieces of work that threads share.
        threads: threads that may share them; small work stays on the caller's whatever this says.
        scratch_bytes: working memory of each thread.
        multiply_adds: multiply-adds of the definition; two floating-point operations each.
    """

    algorithm: str
    vectors_hold: str
    lanes: int
    tile: tuple[int, ...]
    tasks: int
    threads: int
    scratch_bytes: int
    multiply_adds: int

    def __str__(self) -> str:
        tile = " x ".join(map(str, self.tile))
        return (
            f"{self.algorithm}: {self.lanes} {self.vectors_hold} in a vector, tiles of {tile} outputs, "
            f"{self.tasks} tasks for {self.threads} threads, {self.scratch_bytes / 2**20:.2f} MiB scratch a thread, "
            f"{2 * self.multiply_adds / 1e6:,.1f} MFLOP"
        )
