"""Scripted pipelines, JPEG pictures and running servers for the server's tests."""

from __future__ import annotations

import runpy
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from visavis.serve.app import Server, create_app
from visavis.types import ImageArray

SCRIPT = Path(__file__).with_name("scripted_server.py")


@pytest.fixture(scope="session")
def scripted() -> SimpleNamespace:
    return SimpleNamespace(**runpy.run_path(str(SCRIPT), run_name="scripted_server"))


def encode(image_rgb: ImageArray) -> bytes:
    done, data = cv2.imencode(".jpg", np.ascontiguousarray(image_rgb[..., ::-1]))
    assert done
    return data.tobytes()


@pytest.fixture(scope="session")
def jpeg() -> Callable[..., bytes]:
    """Makes a JPEG of one grey level."""

    def make(width: int = 64, height: int = 48, level: int = 128) -> bytes:
        return encode(np.full((height, width, 3), level, np.uint8))

    return make


@contextmanager
def running(make_pipeline: Any, **options: Any) -> Iterator[Server]:
    """A server on a free port, in a thread of its own."""
    answers = threading.Event()
    server = Server(create_app(make_pipeline, **options), "127.0.0.1", 0, lambda url: answers.set())
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        assert answers.wait(10)
        yield server
    finally:
        server.should_exit = True
        thread.join(10)


@pytest.fixture(scope="session")
def serving() -> Callable[..., Any]:
    return running


@pytest.fixture(scope="module")
def server(scripted: SimpleNamespace) -> Iterator[Server]:
    """One server for all tests that need no special one."""
    with running(scripted.ScriptedPipeline) as running_server:
        yield running_server
