#!/usr/bin/env bash
# An untrained VectorQuantize takes its codebook from the first batch that it sees, also in evaluation mode.
#
# Versions:  vector-quantize-pytorch 1.32.0, torch 2.14.1 (CPU); Python 3.10 or newer.
# Behaviour: with kmeans_init=True, the first forward() runs k-means and stores its centres as the codebook, although
#            the module is in eval() and under no_grad(). One pass over validation data before the training, as
#            trainers do for a check, starts the training from entries of the validation data. Without kmeans_init,
#            or after the first batch, evaluation changes nothing.
# Source:    vector_quantize_pytorch/vector_quantize_pytorch.py: EuclideanCodebook.forward() calls init_embed_()
#            without a look at self.training; init_embed_() asks only whether it ran before.
# For users: call the module in training mode on training data first, or leave out passes before the training.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet vector-quantize-pytorch==1.32.0 torch==2.14.1
"$folder/venv/bin/python" - <<'PYTHON' || { echo "FAILED, the behaviour has changed or could not be tried"; exit 1; }
import torch
from vector_quantize_pytorch import VectorQuantize


@torch.no_grad()
def moved(kmeans_init: bool) -> tuple[bool, float]:
    """Whether evaluation changes the codebook, and how far the entries then are from the validation data."""
    torch.manual_seed(0)
    quantizer = VectorQuantize(dim=2, codebook_size=8, kmeans_init=kmeans_init).eval()
    validation = 100 + torch.randn(1, 256, 2)  # Nothing else lies near 100.
    before = quantizer.codebook.clone()
    quantizer(validation)
    return not torch.equal(before, quantizer.codebook), float((quantizer.codebook - 100).abs().max())


kmeans, plain = moved(True), moved(False)
print(f"kmeans_init=True, in eval(): codebook changed: {kmeans[0]}; entries within {kmeans[1]:.1f} of the validation data")
print(f"kmeans_init=False, in eval(): codebook changed: {plain[0]}; entries within {plain[1]:.1f} of the validation data")
assert kmeans[0] and kmeans[1] < 5, "evaluation no longer sets the codebook"
assert not plain[0], "evaluation now changes the codebook without k-means too"
PYTHON
