"""Stand-ins for tests of programs that use visavis: tracker, classifier, avatar, clock, and VTube Studio.

The stand-ins need neither networks nor a camera, and no other program.
"""

from __future__ import annotations

from visavis.base.clock import ManualClock
from visavis.testing.stages import PaintedPuppet, ScriptedClassifier, ScriptedTracker, scripted_pipeline
from visavis.testing.vtube_studio import FakeVTubeStudio
from visavis.testing.vtube_studio_state import Hotkey

__all__ = [
    "FakeVTubeStudio",
    "Hotkey",
    "ManualClock",
    "PaintedPuppet",
    "ScriptedClassifier",
    "ScriptedTracker",
    "scripted_pipeline",
]
