"""Ray, started quietly on this machine or joined on a cluster, without its dashboard and its usage report."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from importlib import import_module
from typing import Any

from visavis.errors import InputError, MissingExtraError

# Our rows and requests are short, and videos and results stay in files; without this limit, Ray's store takes
# 30% of the memory.
STORE_BYTES = 100 * 2**20
LIBRARIES = ("ray.data", "ray.serve")


def import_ray(library: str, feature: str) -> Any:
    """The package ``ray`` with one of its libraries.

    Args:
        library: one of :data:`LIBRARIES`.
        feature: what needs it.

    Raises:
        MissingExtraError: Ray or something that the library needs is not installed.
    """
    # Ray reads these variables when it is imported or started. Nothing is reported to its makers.
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    # On a busy computer, Ray Serve would kill its HTTP proxy after 5 s, while the proxy still starts.
    os.environ.setdefault("RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S", "45")
    try:
        ray = import_module("ray")
        import_module(library)
    except ImportError as error:
        raise MissingExtraError("ray", "scale", feature) from error
    for name in ("ray", *LIBRARIES):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # Errors come as exceptions.
    return ray


@contextmanager
def ray_started(ray: Any, address: str | None, processors: int | None) -> Iterator[None]:
    """Ray is started, or its cluster joined, and left at the end; the program's own signal handlers stay.

    Args:
        ray: the package.
        address: address of a running cluster, as in ``ray.init``; None starts Ray on this machine.
        processors: how many processors Ray may use on this machine; None for all.

    Raises:
        InputError: no cluster answers at the address.
    """
    own = {"num_cpus": processors, "object_store_memory": STORE_BYTES, "include_dashboard": False}
    options: dict[str, Any] = {"address": address} if address else own
    in_main = threading.current_thread() is threading.main_thread()
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        ray.init(**options, log_to_driver=False, logging_level=logging.CRITICAL, configure_logging=False)
        for number, handler in handlers.items() if in_main else ():
            signal.signal(number, handler)
        with redirect_stdout(sys.stderr):  # Ray would tell of dead processes where only results belong.
            yield
    except ConnectionError as error:
        raise InputError(f"--ray-address {address}: no Ray cluster answers: {error}") from error
    finally:
        ray.shutdown()
