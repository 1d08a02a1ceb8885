#!/usr/bin/env bash
# Expression networks on a GPU: recognisers, the first paper's sizes, sparse networks, SAE.
#
#   experiments/gpu/expression.sh pack FER2013            runs/gpu/fer2013, 21 MB: Training as WebP, PublicTest exact
#   experiments/gpu/expression.sh train EPOCHS OUT NAME[:SEED[:KEY=VALUE...]]...
#                                                         train all of them side by side, keep results in OUT
#
# NAME is a file of experiments/, such as fer_hybrid_gpu:1 fer_hybrid_gpu:2, fer_paper_vit, or
# fer_sparse:1:model.pruning.keep_rate=0.3. "train 1 OUT NAME" tries it. To OUT go for each the log, the card, and the
# weights in 16 bits if they have less than 16 MB. The same command goes on where it stopped.
set -euo pipefail
cd "$(dirname "$0")/../.."
PYTHON=${PYTHON:-python3}
export PYTHONPATH=src PYTHONUNBUFFERED=1
case ${1:-} in
pack)
    "$PYTHON" - "$2" <<'PYTHON'
import shutil
import sys
from pathlib import Path

import cv2

source, out = Path(sys.argv[1]), Path("runs/gpu/fer2013")
out.mkdir(parents=True, exist_ok=True)
for file in sorted(source.glob("*.csv")) + sorted(source.glob("publictest*.png")):
    shutil.copyfile(file, out / file.name)
for file in sorted(source.glob("training*.png")):  # The tables name the sheets so; readers look at the content.
    sheet = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
    (out / file.name).write_bytes(cv2.imencode(".webp", sheet, [cv2.IMWRITE_WEBP_QUALITY, 75])[1].tobytes())
PYTHON
    du -sh runs/gpu/fer2013
    ;;
train)
    epochs=$2 out=$3
    mkdir -p "$out"
    for wish in "${@:4}"; do
        IFS=: read -r name seed values <<<"$wish:"
        run=runs/gpu/${wish//[^A-Za-z0-9_.-]/_}
        options=(--set "data=runs/gpu/fer2013" --set "out=$run" --set "seed=${seed:-1}" --set "training.epochs=$epochs")
        IFS=: read -ra more <<<"${values:-}"
        for value in "${more[@]}"; do options+=(--set "$value"); done
        if [ -f "$run/last.safetensors" ]; then options+=(--resume); fi
        "$PYTHON" -m visavis train "experiments/$name.toml" "${options[@]}" >"$out/${run##*/}.txt" 2>&1 &
    done
    failed=0
    for job in $(jobs -p); do wait "$job" || failed=1; done
    "$PYTHON" - "$out" runs/gpu/*/log.jsonl <<'PYTHON'
import shutil
import sys
from pathlib import Path

from safetensors.torch import load_file, save_file

out = Path(sys.argv[1])
for log in map(Path, sys.argv[2:]):
    run = log.parent
    for name in ("log.jsonl", "card.md"):
        if (run / name).exists():
            shutil.copy(run / name, out / f"{run.name}.{name}")
    if (run / "best.safetensors").exists():
        half = {k: v.half() if v.is_floating_point() else v for k, v in load_file(run / "best.safetensors").items()}
        if sum(each.nbytes for each in half.values()) < 16e6:
            save_file(half, out / f"{run.name}.safetensors")
PYTHON
    tail -n 2 "$out"/*.txt
    exit "$failed"
    ;;
*)
    sed -n '2,11p' "$0"
    exit 2
    ;;
esac
