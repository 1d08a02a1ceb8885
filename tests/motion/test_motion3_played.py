"""A written motion file played by live2d-py: at any rate of updates it gives the values that were written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from support.live2d_folder import drawable
from visavis.channels import AVATAR_PARAMETERS
from visavis.cubism.folder import ModelFolder
from visavis.motion.motion3 import read_motion3, write_motion3
from visavis.types import AvatarPose

LOWEST, HIGHEST, _ = np.asarray(list(AVATAR_PARAMETERS.values())).T
TOLERANCE = 0.02


@pytest.mark.shared
@pytest.mark.parametrize("rate", [25, 60, 144])
@pytest.mark.slow
def test_the_values_do_not_depend_on_the_rate(shared: Path, tmp_path: Path, rate: int) -> None:
    path = shared / "avatars" / "Haru" / "Haru.model3.json"
    if not path.exists():
        pytest.skip(f"no Live2D model at {path}")
    model = drawable(ModelFolder.load(path))
    if isinstance(model, str):
        pytest.skip(model)
    time_s = np.arange(100) / 25
    shares = 0.5 + 0.5 * np.sin(time_s[:, None] * np.linspace(1, 9, len(LOWEST)) + np.arange(len(LOWEST)))
    poses = [
        AvatarPose((LOWEST + share * (HIGHEST - LOWEST)).astype(np.float32), t)
        for share, t in zip(shares, time_s.tolist(), strict=True)
    ]
    file = tmp_path / "m.motion3.json"
    write_motion3(file, poses, 25.0)
    written, player = read_motion3(file), model._model
    named = {name: i for i, name in enumerate(player.GetParamIds()) if name in AVATAR_PARAMETERS}
    assert len(named) == 23
    player.LoadExtraMotion("written", str(file))
    player.StartMotion("written", 0)
    for step in range(int(3.9 * rate)):
        player.Update(1 / rate)
        wanted = written.pose(step / rate).as_dict()
        for name, i in named.items():
            low, high, _ = AVATAR_PARAMETERS[name]
            assert player.GetParamValueByIndex(i) == pytest.approx(
                wanted[name], abs=TOLERANCE * (high - low)
            ), (name, step)
