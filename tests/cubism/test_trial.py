"""A model's trial: whatever happens in the other process, this one goes on and says it in one line."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from support.live2d_folder import drawable, write_model
from visavis.cubism import trial
from visavis.cubism.folder import ModelFolder
from visavis.cubism.trial import try_model
from visavis.errors import InputError


@pytest.fixture
def model(tmp_path: Path) -> ModelFolder:
    return ModelFolder.load(write_model(tmp_path / "m"))


@pytest.mark.parametrize(
    ("status", "said", "message"),
    [
        (-11, "Fatal Python error", "m.model3.json: drawing it crashes"),
        (134, "std::bad_alloc", "m.model3.json: drawing it crashes"),
        (1, "a warning\nm.model3.json: its .moc3 is damaged", "^m.model3.json: its .moc3 is damaged"),
        (1, "", "m.model3.json: drawing it crashes"),
    ],
)
def test_how_the_other_process_ends_is_told(
    model: ModelFolder, monkeypatch: pytest.MonkeyPatch, status: int, said: str, message: str
) -> None:
    ended = subprocess.CompletedProcess[str]([], status, "", said)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: ended)
    with pytest.raises(InputError, match=message):
        try_model(model)


def test_a_trial_without_end_is_ended(model: ModelFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "LONGEST_S", 0.01)
    with pytest.raises(InputError, match="does not end"):
        try_model(model)


@pytest.mark.shared
@pytest.mark.slow
def test_a_sound_model_passes_and_an_empty_one_does_not(shared: Path, model: ModelFolder) -> None:
    path = shared / "avatars" / "Haru" / "Haru.model3.json"
    if not path.exists():
        pytest.skip(f"no Live2D model at {path}")
    sound = ModelFolder.load(path)
    if isinstance(why := drawable(sound), str):
        pytest.skip(why)
    try_model(sound)
    with pytest.raises(InputError, match="damaged, says Cubism Core"):
        try_model(model)
