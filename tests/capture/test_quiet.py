from __future__ import annotations

import cv2

from visavis.capture.quiet import quiet_opencv


def level() -> int:
    return cv2.utils.logging.getLogLevel()


def test_the_last_block_out_restores_the_level() -> None:
    before = level()
    first, second = quiet_opencv(), quiet_opencv()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert level() == cv2.utils.logging.LOG_LEVEL_SILENT
    second.__exit__(None, None, None)
    assert level() == before
