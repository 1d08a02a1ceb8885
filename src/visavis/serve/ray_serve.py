"""The server on Ray Serve: replicas of the same application behind Ray's proxy.

A WebSocket stays at its replica. If the replica dies, the client connects again and goes on at another one by
its resume token, as with several processes.
"""

from __future__ import annotations

import os
import re
import secrets
import threading
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from typing import Any, Self

from fastapi import FastAPI

from visavis.base.ray_cluster import import_ray, ray_started
from visavis.errors import DeviceError, InputError
from visavis.serve.front import Front
from visavis.serve.resume import SECRET_VARIABLE
from visavis.serve.server import open_port
from visavis.serve.workers import caught_signals

NAME = "visavis"
# Ray's default of five open requests would be five people, because a WebSocket is open for a whole visit.
OPEN_REQUESTS = 1024
# A further replica starts when the replicas have this share of their people.
FULL_SHARE = 0.7
HEALTH_PERIOD_S = 1.0


@dataclass(frozen=True, slots=True)
class Replicas:
    """Bounds of the number of replicas; Ray chooses within them by the number of open connections.

    Attributes:
        least: smallest number.
        most: largest number.
    """

    least: int
    most: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """From ``2`` or ``1:8``.

        Raises:
            InputError: the text is neither, or the bounds are below 1 or in the wrong order.
        """
        found = re.fullmatch(r"(\d{1,4})(?::(\d{1,4}))?", text)
        least, most = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
        if not 1 <= least <= most:
            raise InputError(f"--replicas {text}: expected a number such as 2, or bounds such as 1:8")
        return cls(least, most)


class RayServer:
    """Replicas of an application.

    Args:
        build: makes the application; called in each replica, with the environment of this process's secret.
        replicas: bounds of their number.
        people: number of people for which a replica has room.
        front: TLS and limits.
        address: address of a Ray cluster; None starts Ray on this machine.

    Raises:
        MissingExtraError: Ray is not installed.
    """

    def __init__(
        self,
        build: Callable[[], FastAPI],
        replicas: Replicas,
        people: int,
        front: Front,
        address: str | None = None,
    ) -> None:
        self._ray = import_ray("ray.serve", "--engine ray")
        self._build = build
        self._replicas = replicas
        self._people = people
        self._front = front
        self._address = address
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Let :meth:`run` end; may be called in another thread or a signal handler."""
        self._stopping.set()

    def run(self, host: str, port: int, ready: Callable[[int], None]) -> None:
        """Serve until a signal or :meth:`stop`.

        Args:
            host: address to listen on.
            port: TCP port; 0 takes a free one.
            ready: called with the port once a replica answers.

        Raises:
            DeviceError: the port is in use, or the replicas do not start.
            InputError: no cluster answers at the address.
        """
        with open_port(host, port) as listening:  # Ray would tell of a port in use only after a long time.
            port = listening.getsockname()[1]
        serve = self._ray.serve
        with ray_started(self._ray, self._address, None), caught_signals(self.stop):
            try:
                serve.start(http_options=self._http(host, port), logging_config=QUIET)
                serve.run(self._application(), name=NAME, logging_config=QUIET)
                ready(port)
                self._stopping.wait()
            except (RuntimeError, TimeoutError, self._ray.exceptions.RayError) as error:
                raise DeviceError(f"Ray Serve does not start: {_last_line(error)}") from error
            finally:
                with redirect_stdout(StringIO()):  # Ray prints there that its controller has ended.
                    serve.shutdown()

    def _application(self) -> Any:
        serve, front, replicas = self._ray.serve, self._front, self._replicas
        secret = os.environ.setdefault(SECRET_VARIABLE, secrets.token_urlsafe(32))
        build = self._build

        def build_app() -> FastAPI:
            os.environ[SECRET_VARIABLE] = secret  # Tokens hold at every replica.
            return build()

        scaling = {
            "min_replicas": replicas.least,
            "max_replicas": replicas.most,
            "target_ongoing_requests": max(1, round(FULL_SHARE * self._people)),
        }
        deployment = serve.deployment(
            serve.ingress(build_app)(),
            name=NAME,
            max_ongoing_requests=front.max_connections or OPEN_REQUESTS,
            ray_actor_options={"num_cpus": 0},
            graceful_shutdown_timeout_s=front.grace_s,
            graceful_shutdown_wait_loop_s=0.1,
            health_check_period_s=HEALTH_PERIOD_S,
            logging_config=QUIET,
            **(
                {"num_replicas": replicas.least}
                if replicas.least == replicas.most
                else {"autoscaling_config": scaling}
            ),
        )
        return deployment.bind()

    def _http(self, host: str, port: int) -> dict[str, Any]:
        front = self._front
        tls = {"ssl_certfile": str(front.tls_cert), "ssl_keyfile": str(front.tls_key)} if front.tls() else {}
        return {"host": host, "port": port, "keep_alive_timeout_s": front.keep_alive_s, **tls}


QUIET = {"log_level": "ERROR", "enable_access_log": False}


def _last_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[-1]
