"""The losses of the face network: landmarks, weights by source, rotation and the face score."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from visavis_train.face.network import IRISES, FaceNet, FaceOutput, rotation_matrix
from visavis_train.face.parts import TEACHER_WEIGHTS

# A weight with a smaller standard deviation over real faces does not move in the teacher's answers.
STILL = 0.004


class Losses(nn.Module):
    """Weighted sum of the losses of all outputs.

    Args:
        net: the network, for the indices of its eye and mouth points.
        spread: (52,) standard deviation of each weight over the real training faces.
        true_spread: (52,) over the rendered ones; 1 for each if there are none.
    """

    # Weight of the teacher's answers on real faces in the truth head's loss, for channels that move there.
    # For the others, only the mean over the real faces of a batch is bounded.
    SEEN_BY_TEACHER = 0.5
    USUAL_MEAN = 0.06
    TOO_MUCH = 3.0
    # Weight of the landmarks of rendered faces relative to the teacher's.
    RENDERED = 0.3
    # Weights of the mesh's points and of the true weights.
    MESH, TRUTH = 40.0, 8.0

    focus: Tensor
    balance: Tensor
    rare: Tensor
    trust_teacher: Tensor
    blind: Tensor
    on_renders: Tensor

    def __init__(self, net: FaceNet, spread: Tensor, true_spread: Tensor) -> None:
        super().__init__()
        focus = torch.ones(len(net.mean_shape), 1)
        focus[torch.cat([net.eye, net.other_eye, net.mouth])] = 2.0
        self.register_buffer("focus", focus * torch.tensor([1.0, 1.0, 0.4]))
        # Points of rendered faces are exact, but the teacher's points differ, most of all its irises.
        on_renders = torch.full((len(net.mean_shape),), self.RENDERED)
        on_renders[list(IRISES)] = 0.0
        self.register_buffer("on_renders", on_renders)
        # Weights that move have equal importance; the teacher does not teach weights that never move.
        moves = (spread > STILL).float()
        balance = moves / (spread + 0.05)
        self.register_buffer("balance", (balance / balance.mean())[:TEACHER_WEIGHTS])
        rare = 1 / (true_spread + 0.05)
        self.register_buffer("rare", rare / rare.mean())
        self.register_buffer("trust_teacher", self.SEEN_BY_TEACHER * moves)
        self.register_buffer("blind", 1 - moves)

    def forward(self, out: FaceOutput, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Every loss by name, for a batch with first faces, then pictures without a face."""
        faces = len(batch["landmarks"])
        trust, rendered, moved = batch["trust"], batch["rendered"], batch["moved"]
        missing = out.score.new_zeros(len(out.score) - faces)
        as_seen = trust * (1 - rendered) * (1 - moved)
        return {
            "coarse": 12 * self.points(out.coarse[:faces], batch["landmarks"], trust, rendered),
            "landmarks": 25 * self.points(out.landmarks[:faces], batch["landmarks"], trust, rendered),
            "weights": self.shapes(out.weights[:faces], batch["weights"], as_seen),
            "truth": self.truth(out.truth[:faces], batch["weights"], trust, rendered, moved),
            "mesh": self.mesh(out.mesh[:faces], batch["landmarks"], trust * rendered),
            "rotation": self.turned(out.rotation[:faces], batch["rotation"], trust),
            "score": 0.3
            * functional.binary_cross_entropy_with_logits(out.score, torch.cat([batch["score"], missing])),
        }

    def points(self, found: Tensor, wanted: Tensor, trust: Tensor, rendered: Tensor) -> Tensor:
        """Mean absolute error of landmarks, with larger weights for eyes and mouth."""
        error = ((found - wanted).abs() * self.focus).mean(dim=2)
        believed = (1 - rendered[:, None]) + rendered[:, None] * self.on_renders
        return trusted_mean((error * believed).mean(dim=1), trust)

    def mesh(self, found: Tensor, wanted: Tensor, trust: Tensor) -> Tensor:
        """Mean distance of the mesh's points (B, 146, 2); trust is 0 for real faces."""
        return self.MESH * trusted_mean((found - wanted[..., :2]).norm(dim=2).mean(dim=1), trust)

    def turned(self, six: Tensor, wanted: Tensor, trust: Tensor) -> Tensor:
        """Mean absolute error of rotations, given as (B, 6), to matrices (B, 3, 3)."""
        return 4 * trusted_mean((rotation_matrix(six) - wanted).abs().mean(dim=(1, 2)), trust)

    def shapes(self, logits: Tensor, wanted: Tensor, trust: Tensor) -> Tensor:
        """Cross-entropy of the teacher's blendshape weights, each scaled by its spread."""
        # An absolute error through a sigmoid gets stuck at the median, near zero; cross-entropy does not.
        wanted = wanted[:, :TEACHER_WEIGHTS]
        loss = functional.binary_cross_entropy_with_logits(
            logits, wanted, weight=self.balance, reduction="none"
        )
        return 3 * trusted_mean(loss.mean(dim=1), trust)

    def truth(self, logits: Tensor, wanted: Tensor, trust: Tensor, rendered: Tensor, moved: Tensor) -> Tensor:
        """Cross-entropy of true weights, or of the teacher's on real faces; a bound where it sees nothing.

        The weights of moved faces that the teacher cannot see are known.
        """
        loss = self.rare * functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
        rendered, moved, trust = rendered[:, None], moved[:, None], trust[:, None]
        believed = rendered + (1 - rendered) * self.trust_teacher + moved * self.blind
        real = trust * (1 - rendered) * (1 - moved)
        usual = (logits.sigmoid() * real).sum(dim=0) / real.sum().clamp(min=1)
        excess = (functional.relu(usual - self.USUAL_MEAN) * self.blind).sum()
        return self.TRUTH * trusted_mean((loss * believed).mean(dim=1), trust[:, 0]) + self.TOO_MUCH * excess


def trusted_mean(values: Tensor, trust: Tensor) -> Tensor:
    """Mean of the values (B,), weighted by trust (B,)."""
    return (values * trust).sum() / trust.sum().clamp(min=1)
