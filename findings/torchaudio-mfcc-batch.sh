#!/usr/bin/env bash
# torchaudio's MFCC of a voice depends on the other voices in the batch: a loud one wipes out the quiet frames of the rest.
#
# Versions:  torchaudio 2.11.1, torch 2.14.1 (CPU), numpy 2.2.6; Python 3.10 or newer.
# Behaviour: a quiet voice with pauses gives other coefficients alone than together with a loud one in a batch of shape
#            (voices, samples): its pauses differ by up to 187, more than the spread of the first coefficient over time, 155.
#            In the shape (voices, 1, samples) they are equal. MFCC takes "(..., time)", and neither MFCC nor
#            MelSpectrogram, which is equal in all shapes, gives a reason to put in an axis of one.
# Source:    transforms.MFCC calls AmplitudeToDB with top_db=80, which lifts all that is 80 dB below the loudest value. In
#            functional.amplitude_to_DB three axes are (channel, freq, time) of one sound: the loudest of the whole batch.
#            The documentation of MFCC speaks of one clip's own maximum only.
# For users: MFCC()(waves[:, None])[:, 0], or log_mels=True. Training with batches and live use with one voice then agree.
#            We do not use torchaudio.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torchaudio==2.11.1 torch==2.14.1 numpy==2.2.6
"$folder/venv/bin/python" - <<'PYTHON' || { echo "FAILED, the behaviour has changed or could not be tried"; exit 1; }
import torch
from torchaudio.transforms import MFCC, MelSpectrogram

RATE = 16000
torch.manual_seed(0)
time_s = torch.arange(RATE) / RATE


def voice(level: float, pitch_hz: float) -> torch.Tensor:
    """A second of a buzz that is on and off twice, with the noise of a room 80 dB below."""
    buzz = sum(torch.sin(2 * torch.pi * pitch_hz * k * time_s) / k for k in range(1, 20)) / 4
    speaks = (torch.sin(4 * torch.pi * time_s) > 0).float()
    return level * (buzz * speaks + 1e-4 * torch.randn(RATE))


quiet, loud = voice(0.03, 200), voice(1, 120)
mel = {"n_fft": 512, "n_mels": 40}
ways = {
    "MelSpectrogram": MelSpectrogram(RATE, **mel),
    "MFCC": MFCC(RATE, 13, melkwargs=mel),
    "MFCC(log_mels=True)": MFCC(RATE, 13, log_mels=True, melkwargs=mel),
}
for name, way in ways.items():
    alone = way(quiet)
    voices = torch.stack([quiet, loud])
    flat = float((way(voices)[0] - alone).abs().max())
    channel = float((way(voices[:, None])[0, 0] - alone).abs().max())
    print(f"{name:20} alone and with a loud voice: (voices, samples) differ by {flat:.2f}, (voices, 1, samples) by {channel:.2f}")
    assert channel < 1e-3 and (100 < flat < 300 if name == "MFCC" else flat < 1e-3), "the behaviour has changed"
print(f"Spread of the first coefficient of the quiet voice over time: {float(MFCC(RATE, 13, melkwargs=mel)(quiet)[0].std()):.0f}")
PYTHON
