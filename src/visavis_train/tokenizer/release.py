"""Release of a trained tokenizer: its two ONNX files, its report and its place in the package."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from visavis.channels import EXPRESSION_CHANNELS, FACE_CHANNELS
from visavis.reaction.tokenizer import DECODER, DECODER_KIND, ENCODER, ENCODER_KIND, FaceTokenizer
from visavis.types import FloatArray
from visavis_train.data.track_pack import Clip, known_rows, tracked
from visavis_train.onnx.export import current_commit, export_onnx, install
from visavis_train.tokenizer.measure import code_use, fidelity, tokens_per_s
from visavis_train.tokenizer.network import DecoderGraph, EncoderGraph, TokenizerNet

ENCODER_FILE, DECODER_FILE = f"{ENCODER}.onnx", f"{DECODER}.onnx"
LICENCE = "for research and personal use: trained on footage whose rights are not cleared"
SIMULATED = (
    "; simulated conversations: RAVDESS and BACKSpeech (CC BY-NC-SA 4.0), GRID s1, and the faces above"
)
TRAINING_DATA = (
    "tracks of visavis' own tracker on short clips of talking faces and yawning drivers and on the GRID "
    "talker s1; MediaPipe's weights of UTKFace, YawDD and LFW-type faces (research); AU06 and AU12 of video "
    "calls (Diao et al., ICMI 2024, doi 10.1145/3678957.3685733; MIT)"
)
# Speed is measured on this number of frames of the test's longest clip.
SPEED_FRAMES = 250


def export_tokenizer(net: TokenizerNet, folder: Path, rest: FloatArray | None = None) -> FaceTokenizer:
    """Write encoder and decoder as ONNX into a folder, check both against torch, and open them.

    ``rest`` (58,) is the face at rest that all training faces were moved to; None if they were not moved.

    Raises:
        WeightsError: ONNX Runtime answers differently.
    """
    net.eval()
    rng = torch.Generator().manual_seed(0)
    noise = torch.randn(3, net.window, len(FACE_CHANNELS), generator=rng)
    examples = net.get_buffer("mean") + net.get_buffer("spread") * noise
    sizes = torch.tensor(net.quantizer.vocabulary)
    tokens = (torch.rand(3, len(sizes), generator=rng) * sizes).long()
    notes = _notes(net) | {"rest": None if rest is None else rest.tolist()}
    export_onnx(
        EncoderGraph(net),
        (examples,),
        folder / ENCODER_FILE,
        input_names=("windows",),
        output_names=("tokens",),
        metadata=notes | {"kind": ENCODER_KIND, "parameters": _learned(net.encoder, net.quantizer)},
    )
    export_onnx(
        DecoderGraph(net),
        (tokens,),
        folder / DECODER_FILE,
        input_names=("tokens",),
        output_names=("face", "emotion"),
        metadata=notes | {"kind": DECODER_KIND, "parameters": _learned(net.decoder, net.expression)},
    )
    return FaceTokenizer.load(folder / ENCODER_FILE, folder / DECODER_FILE)


def _notes(net: TokenizerNet) -> dict[str, Any]:
    """Metadata for the runtime, with ``pair``, which is equal in both files of one training."""
    settings = net.config.quantizer.model_dump()
    return {
        "quantizer": settings.pop("kind"),
        "quantizer_settings": settings,
        "vocabulary": list(net.quantizer.vocabulary),
        "window": net.window,
        "mean": net.get_buffer("mean").tolist(),
        "spread": net.get_buffer("spread").tolist(),
        "channels": list(FACE_CHANNELS),
        "emotion_channels": list(EXPRESSION_CHANNELS),
        "pair": _fingerprint(net.state_dict()),
    }


def _fingerprint(state: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name, values in sorted(state.items()):
        digest.update(name.encode() + values.contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def _learned(*modules: nn.Module) -> int:
    return sum(weights.numel() for module in modules for weights in module.parameters())


def by_source(clips: Sequence[Clip]) -> dict[str, list[Clip]]:
    """Clips by source."""
    sources = sorted({clip.source for clip in clips})
    return {source: [clip for clip in clips if clip.source == source] for source in sources}


def measured(
    net: TokenizerNet, tokenizer: FaceTokenizer, parts: Mapping[str, Sequence[Clip]]
) -> dict[str, Any]:
    """The report on a tokenizer: errors by source, use of the vocabulary, and speed."""
    every = [clip for clips in parts.values() for clip in clips]
    errors = {
        part: {name: fidelity(net, clips).as_dict() for name, clips in by_source(parts[part]).items()}
        for part in ("validation", "test")
    }
    use = {"all": code_use(net, every), "tracked": code_use(net, tracked(every))}
    longest = max(parts["test"], key=lambda clip: len(known_rows(clip)))
    face = longest.face[known_rows(longest)][:SPEED_FRAMES]
    return errors | {"code_use": use, "tokens_per_s": tokens_per_s(tokenizer, face)}


def install_tokenizer(
    folder: Path, report: Mapping[str, Any], config: str, names: tuple[str, str] = (ENCODER, DECODER)
) -> tuple[Path, ...]:
    """Copy a run's networks into the package's assets and add them to the manifest; returns their paths.

    Raises:
        InputError: the run has not been exported.
    """
    errors = report["test"]
    score = {f"test_{source}_unexplained": round(errors[source]["unexplained"], 4) for source in errors}
    score["used_of_the_vocabulary"] = round(min(report["code_use"]["all"]["used"]), 4)
    entry = {
        "licence": LICENCE,
        "training_data": TRAINING_DATA + (SIMULATED if "talks" in errors else ""),
        "config": config,
        "commit": current_commit(),  # Read before the described files change.
        "score": score,
    }
    files = (ENCODER_FILE, DECODER_FILE)
    return tuple(install(folder / file, name, entry) for file, name in zip(files, names, strict=True))
