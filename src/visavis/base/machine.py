"""A description of this computer and installation, stored with every measurement."""

from __future__ import annotations

import os
import platform
import sys
from importlib import import_module
from pathlib import Path

from visavis import __version__

# Maximum number of processes, or of threads with their own networks; Windows cannot wait for more processes.
MOST_PROCESSES = 61
UNUSABLE = "cannot be imported"
# Name -> module.
PACKAGES = {"onnxruntime": "onnxruntime", "numpy": "numpy", "opencv": "cv2", "av": "av"}


def versions() -> dict[str, str]:
    """Versions of visavis, Python and the main packages, by name."""
    found = {"visavis": __version__, "python": platform.python_version()}
    for package, module in PACKAGES.items():
        try:
            found[package] = str(import_module(module).__version__)
        except ImportError as error:
            found[package] = f"{UNUSABLE} ({error})"
    return found


def machine() -> dict[str, str]:
    """Operating system, processor and number of usable threads."""
    return {
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processor": processor(),
        "threads": str(usable_threads()),
    }


def usable_threads() -> int:
    """Number of processor threads that this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def processor() -> str:
    """The processor's name, as far as the system knows it."""
    try:
        for line in Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name" and value.strip():
                return " ".join(value.split())
    except OSError:  # Not Linux.
        pass
    return platform.processor() or platform.machine() or "unknown"
