from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from visavis.errors import InputError
from visavis_train.loop.checkpoint import load_checkpoint, save_checkpoint


def test_checkpoints_of_other_networks_and_formats_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.safetensors"
    save_checkpoint(path, {"model": torch.nn.Linear(2, 2)}, None, {"epoch": 4})
    assert load_checkpoint(path, {"model": torch.nn.Linear(2, 2)}) == {"epoch": 4}
    with pytest.raises(InputError, match="another network"):
        load_checkpoint(path, {"model": torch.nn.Linear(2, 3)})
    with pytest.raises(InputError, match="another network"):
        load_checkpoint(path, {"model": torch.nn.Linear(2, 3)}, more=True)
    path.write_bytes(b"not safetensors")
    with pytest.raises(InputError, match="not a readable checkpoint"):
        load_checkpoint(path, {})
    with pytest.raises(InputError, match="not a readable checkpoint"):
        load_checkpoint(tmp_path / "none", {})


@pytest.mark.skipif(os.name != "posix", reason="Windows has no limit for the size of files")
def test_a_full_disk_is_told_in_one_line(tmp_path: Path) -> None:
    import resource

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(InputError, match=r"c\.safetensors: cannot be written: .*; make room or choose"):
            save_checkpoint(tmp_path / "c.safetensors", {"model": torch.nn.Linear(99, 99)}, None, {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.name != "posix", reason="Windows has no rights of this kind")
def test_others_may_read_a_checkpoint_as_they_may_read_other_new_files(tmp_path: Path) -> None:
    other, path = tmp_path / "other", tmp_path / "c.safetensors"
    other.touch()
    for _ in range(2):  # a new file, and one that is replaced
        save_checkpoint(path, {"model": torch.nn.Linear(2, 2)}, None, {})
        assert path.stat().st_mode == other.stat().st_mode


def test_a_network_starts_from_the_first_layers_of_a_deeper_one_only_where_it_is_asked_to(
    tmp_path: Path,
) -> None:
    path = tmp_path / "c.safetensors"
    deep = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))
    shallow, deeper = (
        torch.nn.Sequential(torch.nn.Linear(2, 2)),
        torch.nn.Sequential(*deep, torch.nn.Linear(2, 2)),
    )
    save_checkpoint(path, {"model": deep}, None, {})
    with pytest.raises(InputError, match="another network"):
        load_checkpoint(path, {"model": shallow})
    with pytest.raises(InputError, match="another network"):
        load_checkpoint(path, {"model": deeper}, more=True)
    load_checkpoint(path, {"model": shallow}, more=True)
    assert torch.equal(shallow[0].weight, deep[0].weight)


def test_an_optimizer_comes_back_as_its_weights_lie_in_memory(tmp_path: Path) -> None:
    def made() -> tuple[torch.nn.Conv2d, torch.optim.Optimizer]:
        torch.manual_seed(0)
        network = torch.nn.Conv2d(3, 5, 3).to(memory_format=torch.channels_last)
        return network, torch.optim.AdamW(network.parameters(), 0.1, fused=True)

    def step(network: torch.nn.Conv2d, optimizer: torch.optim.Optimizer) -> None:
        optimizer.zero_grad()
        network(torch.ones(1, 3, 8, 8)).square().sum().backward()
        optimizer.step()

    path = tmp_path / "c.safetensors"
    first, unbroken = made()
    step(first, unbroken)
    save_checkpoint(path, {"model": first}, unbroken, {})
    second, resumed = made()
    load_checkpoint(path, {"model": second}, resumed)
    for weights in second.parameters():
        for name in ("exp_avg", "exp_avg_sq"):
            assert resumed.state[weights][name].stride() == weights.stride()
    step(first, unbroken)
    step(second, resumed)
    assert torch.equal(first.weight, second.weight)
