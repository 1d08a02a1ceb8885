#!/usr/bin/env bash
# The face network on a GPU: packs of faces as small files, then the training of experiments/face_second.toml.
#
#   experiments/gpu/face.sh pack                  where the packs are: runs/gpu/face, shards of at most 15 MB
#   experiments/gpu/face.sh unpack                on the GPU's computer, when all of runs/gpu/face has arrived
#   experiments/gpu/face.sh train STEPS OUT       train, and keep the weights in 16 bits in OUT
#
# "train 20 OUT" tries it on a CPU in four minutes.
set -euo pipefail
cd "$(dirname "$0")/../.."
PYTHON=${PYTHON:-python3}
export PYTHONPATH=src PYTHONUNBUFFERED=1
case ${1:-} in
pack)
    # Every second real face: a still, or its warped copy. About 90, 55 and 15 MB.
    for name in face_pack renders_more moved; do
        "$PYTHON" -m visavis lab pack-faces "runs/$name" "runs/gpu/face/$name" --side 112 --quality 60 \
            --step "$([ $name = renders_more ] && echo 1 || echo 2)"
    done
    "$PYTHON" - <<'PYTHON'
import numpy as np

negatives = np.load("runs/negatives/train.npy", mmap_mode="r")[::12, ::2, ::2]
np.savez_compressed("runs/gpu/face/negatives.npz", pictures=negatives)
with np.load("runs/face_pack/pairs.npz") as pairs:
    few = {name: pairs[name][:20000].astype(np.float16) for name in pairs.files}
np.savez_compressed("runs/gpu/face/pairs.npz", **few)
PYTHON
    du -sh runs/gpu/face/*
    ;;
unpack)
    for name in face_pack renders_more moved; do
        "$PYTHON" -m visavis lab unpack-faces "runs/gpu/face/$name" "runs/gpu/$name"
    done
    "$PYTHON" - <<'PYTHON'
import numpy as np

pictures = np.load("runs/gpu/face/negatives.npz")["pictures"]
np.save("runs/gpu/negatives.npy", pictures.repeat(2, axis=1).repeat(2, axis=2))
with np.load("runs/gpu/face/pairs.npz") as pairs:
    np.savez("runs/gpu/pairs.npz", **{name: pairs[name].astype(np.float32) for name in pairs.files})
PYTHON
    ;;
train)
    "$PYTHON" -m visavis train experiments/face_second.toml --set out=runs/gpu/face_run --set "steps=$2" \
        --set 'packs=["runs/gpu/face_pack", "runs/gpu/renders_more", "runs/gpu/moved"]' --set 'truths=[]' --set batch=256 \
        --set pairs=runs/gpu/pairs.npz --set negatives=runs/gpu/negatives.npy --set learning_rate=2e-3 \
        --set "workers=${WORKERS:-14}" --set "seen_views=$((3 * $2))"
    mkdir -p "$3"
    "$PYTHON" - "$3" <<'PYTHON'
import sys

from safetensors.torch import load_file, save_file

state = load_file("runs/gpu/face_run/face.safetensors")
save_file({k: v.half() if v.is_floating_point() else v for k, v in state.items()}, sys.argv[1] + "/face.safetensors")
PYTHON
    cp runs/gpu/face_run/log.jsonl "$3"
    ;;
*)
    sed -n '2,8p' "$0"
    exit 2
    ;;
esac
