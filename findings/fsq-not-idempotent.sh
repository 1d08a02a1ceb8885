#!/usr/bin/env bash
# FSQ of vector-quantize-pytorch gives another token for its own code: quantising twice is not quantising once.
#
# Versions:  vector-quantize-pytorch 1.32.0, torch 2.14.1 (CPU); Python 3.10 or newer.
# Behaviour: indices_to_codes() gives the code of each token, and forward() of these codes gives the tokens again.
#            LFQ gives each token back. FSQ does not: with levels [8, 5, 5, 5] half of the 1000 tokens change, with
#            [7, 5, 5, 5] 29% of the 875. VQ and LFQ are idempotent, so one expects that of FSQ, too.
# Source:    vector_quantize_pytorch/finite_scalar_quantization.py: forward() sends its input through tanh before it
#            rounds. A code lies in [-1, 1], and tanh makes it smaller. The inverse of a code is not the code.
# For users: do not feed decoded codes to the quantiser again, as in a check of a codebook or in refinement. Compare
#            tokens, or send the code through the decoder and the encoder.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet vector-quantize-pytorch==1.32.0 torch==2.14.1
"$folder/venv/bin/python" - <<'PYTHON' || { echo "FAILED, the behaviour has changed or could not be tried"; exit 1; }
import torch
from vector_quantize_pytorch import FSQ, LFQ


def kept(quantizer, size):
    tokens = torch.arange(size)[None]
    again = quantizer(quantizer.indices_to_codes(tokens))[1]
    return (again == tokens).float().mean().item()


found = {f"FSQ {levels}": kept(FSQ(levels), FSQ(levels).codebook_size) for levels in ([8, 5, 5, 5], [7, 5, 5, 5])}
found["LFQ of 1024"] = kept(LFQ(codebook_size=1024, dim=10).eval(), 1024)
for name, share in found.items():
    print(f"{name}: {share:.1%} of the tokens are given back")
assert found["LFQ of 1024"] == 1, "LFQ has changed"
assert found["FSQ [8, 5, 5, 5]"] < 0.6 and found["FSQ [7, 5, 5, 5]"] < 0.8, "FSQ gives its tokens back now"
PYTHON
