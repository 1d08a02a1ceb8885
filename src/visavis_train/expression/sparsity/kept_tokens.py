"""The command ``visavis lab kept-tokens``: which parts of a face a network keeps, as numbers and figures.

It writes one JSON file, two figures, and the text between the marks of a page.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from visavis.base.console import progress
from visavis.datasets.faces import LabeledFaces
from visavis.errors import InputError
from visavis.types import ImageArray
from visavis_train.expression.models.pruning import PruningConfig
from visavis_train.expression.models.sparse import DOWNSAMPLING, SparseNet
from visavis_train.expression.sparsity.face_parts import cell_parts
from visavis_train.expression.sparsity.keep_rates import open_run
from visavis_train.expression.sparsity.kept import (
    Kept,
    choosing_layers,
    drop_tokens,
    read_kept,
    read_untrained,
)
from visavis_train.expression.sparsity.kept_figures import examples_figure, maps_figure
from visavis_train.expression.sparsity.kept_parts import (
    Overlap,
    PartKept,
    kept_overlap,
    on_parts,
    overlap_line,
    parts_table,
)
from visavis_train.face.data.crop_landmarks import CropLandmarks
from visavis_train.loop.marks import measured_on
from visavis_train.onnx.export import current_commit

RESULTS = Path("benchmarks/results/kept_tokens.json")
PAGE = Path("docs/reference/sparse.md")
MARKS = ("<!-- kept tokens: by visavis lab kept-tokens -->", "<!-- end of kept tokens -->")
FOLDER, MAPS, FACES = "kept_tokens", "maps.svg", "faces.svg"


@dataclass(frozen=True, slots=True, eq=False)
class KeptTokens:
    """Results: the parts of faces that a network looks at.

    Attributes:
        name: name of its run.
        how: its pruning.
        faces: the split.
        pictures: (N, S, S) uint8, grey, the network's inputs.
        kept: the kept tokens of each layer.
        believable: number of faces with trusted landmarks.
        parts: for each layer, the parts of these faces that its tokens show.
        overlaps: for each layer, the similarity of two faces' tokens.
    """

    name: str
    how: PruningConfig
    faces: LabeledFaces
    pictures: ImageArray
    kept: Kept
    believable: int
    parts: tuple[list[PartKept], ...]
    overlaps: tuple[Overlap, ...]

    @classmethod
    def of(
        cls, name: str, network: SparseNet, faces: LabeledFaces, pictures: ImageArray, where: CropLandmarks
    ) -> Self:
        """Measure a network.

        Raises:
            InputError: the network drops no tokens, there are fewer than two faces, or no landmarks
                are trusted.
        """
        chosen = where.believable
        if not chosen.any():
            raise InputError(
                f"{faces.name}, {faces.split}: in none of {len(faces)} faces were landmarks found; "
                "expected faces cut as in FER-2013"
            )
        with progress("tokens", 2 * len(faces), "faces") as advance:
            kept = read_kept(network, pictures, advance)
            control = read_untrained(network, pictures, advance)
        shares = np.stack([cell_parts(points, kept.grid) for points in where.points[chosen]])
        return cls(
            name,
            network.pruning,
            faces,
            pictures,
            kept,
            int(chosen.sum()),
            tuple(
                on_parts(shares, mask[chosen], other[chosen])
                for mask, other in zip(kept.masks, control.masks, strict=True)
            ),
            tuple(kept_overlap(mask, faces.labels) for mask in kept.masks),
        )

    def as_dict(self) -> dict[str, Any]:
        """JSON values."""
        maps = self.kept.maps(self.faces.labels, self.faces.names)
        return {
            **measured_on(self.faces),
            "run": self.name,
            "pruning": self.how.model_dump(mode="json"),
            "faces_with_landmarks": self.believable,
            "grid": self.kept.grid,
            "layers": [
                {
                    "layer": layer,
                    "tokens": float(mask.sum(axis=1).mean()),
                    "parts": [asdict(part) for part in parts],
                    "overlap": asdict(alike),
                    "maps": {name: shown[row].round(4).tolist() for name, shown in maps.items()},
                }
                for row, (layer, mask, parts, alike) in enumerate(
                    zip(self.kept.layers, self.kept.masks, self.parts, self.overlaps, strict=True)
                )
            ],
        }

    def markdown(self) -> list[str]:
        """The text between the marks."""
        rates = ", ".join(f"{rate:g}" for rate in self.how.rates.values())
        lines = [
            f"{self.name}, keep rate {rates}; {self.faces.name}, {self.faces.split}, "
            f"{len(self.faces)} faces, landmarks of {self.believable}; commit {current_commit()[:12]}.",
        ]
        for layer, parts, alike in zip(self.kept.layers, self.parts, self.overlaps, strict=True):
            lines += ["", f"Layer {layer}. {overlap_line(alike)}", ""]
            lines += parts_table(parts).markdown().splitlines()
        return lines

    def figures(self) -> dict[str, str]:
        """File name -> SVG."""
        labels, names = self.faces.labels, self.faces.names
        maps = self.kept.maps(labels, names)
        chosen = {
            name: np.ones(len(labels), np.bool_) if name == "all" else labels == names.index(name)
            for name in maps
        }
        means = {
            name: np.rint(self.pictures[rows].mean(axis=0)).astype(np.uint8) for name, rows in chosen.items()
        }
        counts = {name: int(rows.sum()) for name, rows in chosen.items()}
        return {
            MAPS: maps_figure(maps, means, counts, self.kept.layers),
            FACES: examples_figure(self.pictures, self.kept, labels, names),
        }


def open_network(run: Path, keep: float | None, layers: Sequence[int] | None) -> tuple[SparseNet, int]:
    """The network of a run with the requested pruning, and the side of its pictures in pixels.

    Raises:
        InputError: there is no run, or its network drops no tokens.
    """
    network, side_px = open_run(run)
    if keep is not None:
        drop_tokens(network, keep, layers)
    try:
        choosing_layers(network, (side_px // DOWNSAMPLING) ** 2)
    except InputError as error:
        raise InputError(f"{run}: {error}") from error
    return network, side_px
