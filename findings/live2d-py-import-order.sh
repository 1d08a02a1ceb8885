#!/usr/bin/env bash
# live2d-py runs its std::filesystem code or another library's, depending on which package is imported first.
#
# Versions:  live2d-py 1.0.0 and onnxruntime 1.32.0, manylinux wheels for x86-64; Python 3.11 or newer, glibc.
# Behaviour: the wheel contains std::filesystem of GCC 8 and also exports it. Imported first, it calls its own copy.
#            Imported after ONNX Runtime, which brings the system's libstdc++, it calls that one, whose paths are laid
#            out differently. Then loading a model ends the program with std::bad_alloc. This script loads none:
#            it only asks the dynamic linker where one function is bound.
# Source:    symbol interposition, ld.so(8), LD_DEBUG=bindings; dlopen(3), RTLD_DEEPBIND.
# For users: import live2d before anything else, or, on Linux, with
#            sys.setdlopenflags(sys.getdlopenflags() | os.RTLD_DEEPBIND) around the import, which works in any order.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet live2d-py==1.0.0 onnxruntime==1.32.0
# std::filesystem::path::parent_path() const
symbol=_ZNKSt10filesystem7__cxx114path11parent_pathEv
bound() {
  LD_DEBUG=bindings LD_DEBUG_OUTPUT="$folder/log" "$folder/venv/bin/python" -c "$1" >"$folder/banner"
  cat "$folder"/log.* | sed -n "s|.*_live2d\.so \[0\] to \(.*\) \[0\]: normal symbol .$symbol.*|\1|p" | tail -n 1 | xargs basename
  rm -f "$folder"/log.*
}
deep="import sys, os; sys.setdlopenflags(sys.getdlopenflags() | os.RTLD_DEEPBIND)"
failed() { echo "FAILED, the behaviour has changed: expected $1"; exit 1; }
check() {
  found=$(bound "$2")
  echo "$1: parent_path() of live2d-py is that of $found"
  [[ $found == $3* ]] || failed "$3"
}
check "live2d first              " "import live2d, onnxruntime" _live2d.so
check "onnxruntime first         " "import onnxruntime, live2d" libstdc++.so
check "onnxruntime first, deep   " "import onnxruntime; $deep; import live2d" _live2d.so
