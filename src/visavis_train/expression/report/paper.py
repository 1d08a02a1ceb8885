"""The figures of the first paper, and the errors in them.

Chen, "Fine-Tuning and Optimization of Live2D Facial Expression Recognition Based on Vision Transformer
(ViT)". Its Figures 1, 3 and 4 are pictures, so only the numbers of its text and of its Table 1 are here.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PaperEpoch:
    """A row of Table 1.

    Attributes:
        epoch: from 1.
        training_loss, validation_loss: cross-entropy.
        accuracy: on the validation set, 0 to 1.
    """

    epoch: int
    training_loss: float
    validation_loss: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class PaperModel:
    """The paper's figures for a model.

    Attributes:
        name: the name in the paper.
        accuracy: accuracy in section 3.1, 0 to 1.
        epochs: number of epochs shown; None if the paper does not say.
    """

    name: str
    accuracy: float
    epochs: int | None


@dataclass(frozen=True, slots=True)
class PaperSize:
    """A size of section 3.3.

    Attributes:
        name: the name in the paper.
        mebibytes: the paper's figure in MB; it fits ViT-B/16 only in units of 2**20 bytes.
    """

    name: str
    mebibytes: float

    @property
    def size_bytes(self) -> float:
        """The size in bytes."""
        return self.mebibytes * 2**20


TABLE_1 = (
    PaperEpoch(1, 0.993100, 0.981259, 0.642519),
    PaperEpoch(2, 0.814800, 0.914304, 0.669824),
    PaperEpoch(3, 0.628500, 0.916631, 0.680134),
    PaperEpoch(4, 0.470400, 0.934855, 0.693508),
    PaperEpoch(5, 0.311600, 1.019010, 0.689886),
    PaperEpoch(6, 0.222800, 1.080805, 0.686542),
)
CHOSEN = max(TABLE_1, key=lambda row: row.accuracy)
MODELS = (PaperModel("ViT", 0.693, len(TABLE_1)), PaperModel("CNN", 0.608, None))
SIZES = (PaperSize("ViT, fp32", 327.38), PaperSize("ViT, “4-bit”", 84.43))
# Real sizes of ViT-B/16, measured for this project: int8 linear layers; 4 bits (NF4).
REAL_SIZES = (PaperSize("ViT-B/16, int8", 84.3), PaperSize("ViT-B/16, 4-bit NF4", 47.4e6 / 2**20))
DISGUST_RIGHT = 21

# Notes for a comparison.
CAVEATS = (
    f"The paper's “test accuracy” of {MODELS[0].accuracy:.1%} is its validation accuracy at epoch "
    f"{CHOSEN.epoch} ({CHOSEN.accuracy:.2%}), which also chose this epoch: there is no figure of "
    "the ViT on an independent split.",
    f"Its “4-bit” size of {SIZES[1].mebibytes} MB is the size of an int8 model: we measured ViT-B/16 at "
    "327.3 MiB in fp32, 84.3 MiB with int8 linear layers, and 47.4 MB in real 4-bit NF4.",
    "It does not describe the CNN with 60.8% or its recipe, and gives no seed, interval, time or machine.",
    "It claims faster inference but reports no time.",
)
