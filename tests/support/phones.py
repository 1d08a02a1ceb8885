"""Phones that send a face, written from the apps' documentation and not from visavis's decoders."""

from __future__ import annotations

import json
import socket
import threading
import time
from typing import Self

# The example frame of https://www.ifacialmocap.com/for-developer/
IFACIALMOCAP_FRAME = (
    b"mouthSmile_R-0|eyeLookOut_L-0|mouthUpperUp_L-11|eyeWide_R-0|mouthClose-8|mouthPucker-4|mouthRollLower-9|"
    b"eyeBlink_R-7|eyeLookDown_L-17|cheekSquint_R-11|eyeBlink_L-7|tongueOut-0|jawRight-0|eyeLookIn_R-6|"
    b"cheekSquint_L-11|mouthDimple_L-10|mouthPress_L-4|eyeSquint_L-11|mouthRight-0|mouthShrugLower-9|"
    b"eyeLookUp_R-0|eyeLookOut_R-0|mouthPress_R-5|cheekPuff-2|jawForward-11|mouthLowerDown_L-9|mouthFrown_L-6|"
    b"mouthShrugUpper-26|browOuterUp_L-4|browInnerUp-20|mouthDimple_R-10|browDown_R-0|mouthUpperUp_R-10|"
    b"mouthRollUpper-8|mouthFunnel-12|mouthStretch_R-21|mouthFrown_R-13|eyeLookDown_R-17|jawOpen-12|jawLeft-0|"
    b"browDown_L-0|mouthSmile_L-0|noseSneer_R-18|mouthLowerDown_R-8|noseSneer_L-21|eyeWide_L-0|"
    b"mouthStretch_L-21|browOuterUp_R-4|eyeLookIn_L-4|eyeSquint_R-11|eyeLookUp_L-0|mouthLeft-1|"
    b"=head#-21.488958,-6.038993,-6.6019735,-0.030653415,-0.10287084,-0.6584072|"
    b"rightEye#6.0297494,2.4403017,0.25649446|leftEye#6.034903,-1.6660284,-0.17520553|"
)
# The example frame of https://www.facemotion3d.net/english/for-developer/, which is version 2.
FACEMOTION3D_FRAME = (
    b"eyeLookOutLeft&3|mouthPressRight&14|jawForward&8|browInnerUp&19|jawLeft&4|mouthShrugUpper&28|"
    b"eyeSquintLeft&4|eyeWideLeft&0|mouthPucker&5|mouthLowerDownLeft&6|eyeBlinkLeft&29|mouthShrugLower&20|"
    b"mouthSmileLeft&0|cheekSquintRight&9|eyeWideRight&0|mouthFunnel&4|mouthStretchRight&13|browDownRight&2|"
    b"tongueOut&0|cheekSquintLeft&8|mouthStretchLeft&17|mouthUpperUpRight&10|noseSneerLeft&28|"
    b"browOuterUpLeft&0|eyeLookInRight&15|mouthDimpleRight&7|mouthRollUpper&5|mouthLowerDownRight&6|"
    b"mouthClose&6|mouthFrownLeft&3|eyeBlinkRight&29|mouthFrownRight&2|mouthUpperUpLeft&11|browDownLeft&1|"
    b"eyeLookOutRight&0|cheekPuff&4|eyeLookInLeft&0|mouthDimpleLeft&8|eyeLookDownLeft&36|eyeSquintRight&4|"
    b"mouthRollLower&7|eyeLookUpLeft&0|eyeLookUpRight&0|mouthSmileRight&0|jawRight&0|noseSneerRight&25|"
    b"mouthPressLeft&13|jawOpen&4|browOuterUpRight&0|eyeLookDownRight&36|mouthLeft&1|mouthRight&0|FM_SAD&0|"
    b"FM_ANGRY&0|FM_VF&0|FM_TH&0|FM_browUpRight&0|FM_browUpLeft&0|"
    b"=head#-22.167973,0.45402408,-4.8798294,-0.039975993,-0.048437987,-0.45562273|"
    b"rightEye#12.759762,5.527712,1.2244859|leftEye#12.862795,1.264116,0.28145725|"
)


def vtube_studio_frame(**changes: object) -> bytes:
    """A frame of the class VTubeStudioRawTrackingData, as Unity's JsonUtility writes it."""
    frame: dict[str, object] = {
        "Timestamp": 1790237610000,
        "Hotkey": -1,
        "FaceFound": True,
        "Rotation": {"x": 10.0, "y": -20.0, "z": 5.0},
        "Position": {"x": 5.5, "y": -6.25, "z": -5.5},
        "BlendShapes": [{"k": "EyeBlinkLeft", "v": 0.75}, {"k": "JawOpen", "v": 0.25}],
        "EyeLeft": {"x": -3.5, "y": 1.25, "z": 0.0},
        "EyeRight": {"x": -3.5, "y": 0.75, "z": 0.0},
    }
    return json.dumps(frame | changes).encode()


class VTubeStudioPhone:
    """Sends frames to the ports of a request until its time is over, 60 times a second.

    Attributes:
        port: the port that takes requests.
        requests: the requests so far.
    """

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(1 / 60)
        self.port: int = self._socket.getsockname()[1]
        self.requests: list[dict[str, object]] = []
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stopped.set()
        self._thread.join()
        self._socket.close()

    def _run(self) -> None:
        until_s, targets = 0.0, []
        while not self._stopped.is_set():
            try:
                data, (host, _) = self._socket.recvfrom(4096)
                request = json.loads(data)
                self.requests.append(request)
                until_s = time.monotonic() + request["time"]
                targets = [(host, port) for port in request["ports"]]
            except TimeoutError:
                pass
            if time.monotonic() < until_s:
                for target in targets:
                    self._socket.sendto(vtube_studio_frame(), target)


def free_port() -> int:
    """A free UDP port of this computer."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
