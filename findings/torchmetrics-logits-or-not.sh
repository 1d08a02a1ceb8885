#!/usr/bin/env bash
# torchmetrics guesses for each batch whether it holds logits: a detector without a mistake gets an F1 of 0.52, clip by clip.
#
# Versions:  torchmetrics 1.9.0, torch 2.14.1, numpy 2.2.6; Python 3.11 or newer.
# Behaviour: logits of a smile detector for 200 clips of 30 pictures; above 0 is a smile, and none is wrong. BinaryF1Score and
#            BinaryAUROC give 1.00 if they get all logits in one update, and 0.52 and 0.66 with one update for each clip.
#            A clip whose logits all lie between 0 and 1 is taken for probabilities. Its logit of 0.4, a probability of
#            0.60, then counts as 0.4: as no smile, and as less than another clip's logit of -0.3, which becomes 0.43.
# Source:    torchmetrics/utilities/compute.py, normalize_logits_if_needed(): sigmoid or softmax if any value of this update is
#            below 0 or above 1. Documentation, preds: "If preds has values outside [0,1] range we consider the input to be
#            logits". It does not say that each update decides anew: issue 2195 of Lightning-AI/torchmetrics, open since 2023.
# For users: give probabilities, torch.sigmoid(logits) or softmax, to update(). This matters most for action units, one clip or
#            one picture of a stream at a time, and for a short last batch. Our metrics take probabilities and never guess.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile torchmetrics==1.9.0 torch==2.14.1 numpy==2.2.6
"$folder/venv/bin/python" - <<'PYTHON' || { echo "FAILED, the behaviour has changed or could not be tried"; exit 1; }
import numpy as np
import torch
from torchmetrics.classification import BinaryAUROC, BinaryF1Score

CLIPS, PICTURES = 200, 30
random = np.random.default_rng(0)
smiles = np.repeat(np.arange(CLIPS) % 2 == 0, PICTURES)
level = np.where(smiles, 0.45, -0.45) + np.repeat(0.1 * random.standard_normal(CLIPS), PICTURES)
logits = torch.from_numpy(level + 0.1 * random.standard_normal(len(level)))
smiles = torch.from_numpy(smiles).long()


def score(metric, values, size):
    for start in range(0, len(values), size):
        metric.update(values[start : start + size], smiles[start : start + size])
    return metric.compute().item()


found = {}
for kind, values in {"logits": logits, "probabilities": torch.sigmoid(logits)}.items():
    for name, size in {"one update": len(logits), "one update for each clip": PICTURES}.items():
        found[kind, name] = score(BinaryF1Score(), values, size), score(BinaryAUROC(), values, size)
        print(f"{kind}, {name}: F1 {found[kind, name][0]:.2f}, area under ROC {found[kind, name][1]:.2f}")
for (kind, name), (f1, area) in found.items():
    if (kind, name) == ("logits", "one update for each clip"):
        assert 0.4 < f1 < 0.7 and 0.5 < area < 0.8, "logits of clips have other scores now"
    else:
        assert min(f1, area) > 0.99, "the detector makes mistakes"
PYTHON
