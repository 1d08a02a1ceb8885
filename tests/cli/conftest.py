"""A listener for the commands."""

from __future__ import annotations

import pytest

from support import tiny_listener
from support.tiny_listener import Echo
from visavis.reaction.listener import ListenerModel


@pytest.fixture
def echo(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Echo:
    """The listener that a version with weights would have."""
    predictor = Echo()
    networks = tiny_listener.listener(tmp_path_factory.mktemp("networks"), predictor)
    monkeypatch.setattr(ListenerModel, "default", lambda: networks)
    return predictor
