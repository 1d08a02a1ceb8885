#!/usr/bin/env bash
# Landmarks in a tensor column of pyarrow come out in another order if their array was a transposed view.
#
# Versions:  pyarrow 22.0.0, numpy 2.2.6; Python 3.10 to 3.13.
# Behaviour: landmarks (frames, 3 points, x and y) are stored twice by FixedShapeTensorArray.from_numpy_ndarray: as a
#            plain array, and as a transposed view of (frames, 2, 3), with equal numbers. to_numpy_ndarray() gives equal
#            arrays. to_pylist() and as_py() give x y x y x y for the first and x x x y y y for the second, also after
#            writing and reading Parquet: reshape(3, 2) mixes x and y.
# Source:    Arrow, "Canonical extension types", fixed shape tensor, permutation: numbers stay in the order of memory, and
#            the type says how to turn the axes. to_pylist() and as_py() look at the storage only.
# For users: give numpy.ascontiguousarray(landmarks), or read with to_numpy_ndarray(). Our tracks have a column for each number.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile pyarrow==22.0.0 numpy==2.2.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON' || { echo "FAILED, the behaviour has changed or could not be tried"; exit 1; }
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

by_axis = np.asarray([[[1, 2, 3], [10, 20, 30]], [[4, 5, 6], [40, 50, 60]]], np.float32)  # frames, x and y, points
view = by_axis.transpose(0, 2, 1)  # frames, points, x and y
plain = np.ascontiguousarray(view)
assert (view == plain).all()
found = {}
for name, landmarks in (("plain", plain), ("view", view)):
    column = pa.FixedShapeTensorArray.from_numpy_ndarray(landmarks)
    pq.write_table(pa.table({"landmarks": column}), f"{name}.parquet")
    table = pq.read_table(f"{name}.parquet")
    read = table["landmarks"].combine_chunks()
    assert (read.to_numpy_ndarray() == landmarks).all(), "to_numpy_ndarray() has changed"
    found[name] = table.to_pylist()[0]["landmarks"]
    print(f"{name}: to_pylist gives {found[name]} for frame 0, to_numpy_ndarray {read.to_numpy_ndarray()[0].tolist()}")
    assert found[name] == read[0].as_py(), "the two ways differ"
assert found["plain"] == [1, 10, 2, 20, 3, 30], "the plain array has changed"
assert found["view"] == [1, 2, 3, 10, 20, 30], "the view's order has changed"
PYTHON
