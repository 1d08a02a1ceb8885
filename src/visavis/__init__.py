"""visavis: watches a person, understands the face, and answers with one."""

from __future__ import annotations

import os

# ONNX Runtime 1.31 and later reports to its maker unless this is set before its first import; visavis
# promises that nothing leaves the computer. Who wants the reports sets the variable to 0.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__version__ = "0.1.0"
