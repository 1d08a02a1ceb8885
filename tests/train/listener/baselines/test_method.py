"""Methods that react: independent items, repeatable seeds, and training that learns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from support import tiny_listener, tiny_listening
from visavis.channels import FACE_CHANNELS
from visavis.types import FloatArray
from visavis_train.data.conversation_pack import PersonClip
from visavis_train.listener.baselines.latent_diffusion import (
    NOISE_STEPS,
    WINDOW,
    Denoiser,
    LatentDiffusion,
    WindowVae,
    kept_share,
)
from visavis_train.listener.baselines.method import BinaryUnits, Method
from visavis_train.listener.baselines.simple import (
    LATER_FRAMES,
    CopySpeaker,
    GroundTruth,
    LateCopy,
    MeanSequence,
    NearestNeighbour,
    Uniform,
)
from visavis_train.listener.baselines.trained_listener import TrainedListener
from visavis_train.listener.baselines.training import BaselineTraining, Scale
from visavis_train.listener.baselines.trans_vae import OnlineTransVae, TransVae

SMALL = BaselineTraining(steps=40, batch_size=4, frames=100, width=16, latent=4, learning_rate=3e-3)
TRAIN, TEST = tiny_listening.pack("train"), tiny_listening.pack("test", speakers=3, frames=60)
SPEAKERS = [TEST.items[place].speaker for place in TEST.first_of_speakers()]
TRUTHS = {TEST.items[place].speaker.name: TEST.items[place].listener for place in TEST.first_of_speakers()}


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def vae() -> TransVae:
    return TransVae.trained(TRAIN, SMALL, seed=1)


@pytest.fixture(scope="module")
def diffusion() -> LatentDiffusion:
    return LatentDiffusion.trained(TRAIN, SMALL, seed=1)


@pytest.fixture(scope="module")
def online() -> OnlineTransVae:
    return OnlineTransVae.trained(TRAIN, SMALL, seed=1)


@pytest.fixture
def opened(
    vae: TransVae, online: OnlineTransVae, diffusion: LatentDiffusion, tmp_path: Path
) -> Callable[[str], Method]:
    ways: dict[str, Callable[[], Method]] = {
        "truth": lambda: GroundTruth(TRUTHS),
        "random": Uniform,
        "copy speaker": CopySpeaker,
        "late copy": LateCopy,
        "mean face": lambda: MeanSequence(TRAIN, still=True),
        "mean sequence": lambda: MeanSequence(TRAIN),
        "nearest neighbour": lambda: NearestNeighbour(TRAIN),
        "trans-vae": lambda: vae,
        "online trans-vae": lambda: online,
        "diffusion": lambda: diffusion,
        "listener": lambda: TrainedListener(tiny_listener.listener(tmp_path, tiny_listener.Echo(even=True))),
    }
    return lambda name: ways[name]()


STOCHASTIC = ("random", "trans-vae", "online trans-vae", "diffusion", "listener")
STILL = ("truth", "copy speaker", "late copy", "mean face", "mean sequence", "nearest neighbour")


@pytest.mark.parametrize("name", [*STOCHASTIC, *STILL])
def test_reactions_belong_to_their_item(name: str, opened: Callable[[str], Method]) -> None:
    method = opened(name)
    together = method.reactions(SPEAKERS, samples=4, seed=3)
    assert together.shape == (3, 4, 60, 83)
    assert together.dtype == np.float32
    assert np.isfinite(together).all()
    # In any order and alone, a clip gets what it gets in company: no sample moves to another item.
    np.testing.assert_allclose(method.reactions(SPEAKERS[::-1], 4, 3)[::-1], together, atol=1e-5)
    for place, speaker in enumerate(SPEAKERS):
        np.testing.assert_allclose(method.reactions([speaker], 4, 3)[0], together[place], atol=1e-5)


@pytest.mark.parametrize("name", STOCHASTIC)
def test_chances_are_the_seeds(name: str, opened: Callable[[str], Method]) -> None:
    method = opened(name)
    first = method.reactions(SPEAKERS[:1], 3, seed=5)
    np.testing.assert_array_equal(method.reactions(SPEAKERS[:1], 3, seed=5), first)
    assert np.abs(method.reactions(SPEAKERS[:1], 3, seed=6) - first).max() > 1e-3
    assert np.abs(first[0, 0] - first[0, 1]).max() > 1e-3


def test_a_listener_that_copies_copies_its_own_item(tmp_path: Path) -> None:
    """The official code's samples land in other items; here each must show its own speaker's face."""
    method = TrainedListener(tiny_listener.listener(tmp_path))
    silent = [PersonClip(c.name, c.face, c.expression, np.full_like(c.speech, np.nan)) for c in SPEAKERS]
    made = method.reactions(silent, samples=3, seed=0)
    for speaker, reactions in zip(SPEAKERS, made, strict=True):
        expected = (np.floor(speaker.face[:, 0].astype(float) * 16) + 0.5) / 16
        for reaction in reactions:
            np.testing.assert_allclose(reaction[:, 0], expected, atol=1e-6)


def test_baselines_are_what_they_are_called() -> None:
    speaker = SPEAKERS[1]
    np.testing.assert_array_equal(CopySpeaker().reactions([speaker], 2, 0)[0, 1], speaker.behavior)
    late = LateCopy().reactions([speaker], 2, 0)[0]
    for k, shown in enumerate(late):
        lag = LATER_FRAMES * (k + 1)
        np.testing.assert_array_equal(shown[lag:], speaker.behavior[:-lag])
        np.testing.assert_array_equal(shown[:lag], np.repeat(speaker.behavior[:1], lag, axis=0))
    truth = GroundTruth(TRUTHS).reactions([speaker], 2, 0)[0, 0]
    np.testing.assert_array_equal(truth, TRUTHS[speaker.name].behavior)
    rows = np.stack([item.listener.behavior for item in TRAIN.items])
    still = MeanSequence(TRAIN, still=True).reactions([speaker], 1, 0)[0, 0]
    np.testing.assert_allclose(still, np.tile(rows.mean(axis=(0, 1)), (60, 1)), atol=1e-5)
    moving = MeanSequence(TRAIN).reactions([speaker], 1, 0)[0, 0]
    np.testing.assert_allclose(moving, rows.mean(axis=0)[:60], atol=1e-5)
    known = TRAIN.items[4]
    near = NearestNeighbour(TRAIN).reactions([known.speaker], 3, 0)[0]
    np.testing.assert_array_equal(near[0], TRAIN.items[4].listener.behavior)
    np.testing.assert_array_equal(near[1], TRAIN.items[5].listener.behavior)
    assert not np.array_equal(near[2], near[0])


def test_a_channel_that_stood_still_in_training_does_not_choose_the_neighbour() -> None:
    still = FACE_CHANNELS.index("tongueOut")
    items = []
    for number, item in enumerate(TRAIN.items):
        face = item.speaker.face.copy()
        face[:, still] = 1e-5 * (number < 2)
        items.append(replace(item, speaker=replace(item.speaker, face=face)))
    known = items[-1]
    moved = known.speaker.face.copy()
    moved[:, still] = 0.01
    method = NearestNeighbour(replace(TRAIN, items=tuple(items)))
    near = method.reactions([replace(known.speaker, face=moved)], 1, 0)
    assert np.array_equal(near, method.reactions([known.speaker], 1, 0))


def test_random_has_the_printed_variance_and_diversity() -> None:
    made = Uniform().reactions(SPEAKERS, 10, 0)[..., len(FACE_CHANNELS) :]
    assert made.var(axis=2).mean() == pytest.approx(1 / 12, rel=0.02)
    assert ((made[:, 0] - made[:, 1]) ** 2).mean() == pytest.approx(1 / 6, rel=0.05)
    assert ((made[0] - made[1]) ** 2).mean() == pytest.approx(1 / 6, rel=0.05)


def test_an_online_peer_hears_nothing_later(online: OnlineTransVae) -> None:
    speaker = SPEAKERS[0]
    changed = speaker.face.copy()
    changed[30:] += 1
    other = PersonClip(speaker.name, changed, speaker.expression, speaker.speech)
    first, second = (online.reactions([clip], 2, 0)[0] for clip in (speaker, other))
    np.testing.assert_allclose(second[:, :45], first[:, :45], atol=1e-6)
    assert np.abs(second[:, 45:] - first[:, 45:]).max() > 1e-4


def test_units_become_0_or_1_and_the_rest_stays() -> None:
    plain = Uniform().reactions(SPEAKERS, 2, 0)
    binary = BinaryUnits(Uniform()).reactions(SPEAKERS, 2, 0)
    units = slice(len(FACE_CHANNELS), len(FACE_CHANNELS) + 15)
    np.testing.assert_array_equal(binary[..., units], (plain[..., units] > 0.5).astype(np.float32))
    np.testing.assert_array_equal(
        np.delete(binary, np.r_[units], axis=-1), np.delete(plain, np.r_[units], axis=-1)
    )


def test_the_best_of_k_answers_is_trained() -> None:
    """With fresh noise the best of k errors is below a single one's, and never above it on average."""
    torch.manual_seed(0)
    net = Denoiser(WindowVae(8, 4), 8, 4).eval()
    speaker, listener = torch.randn(64, 2 * WINDOW, 102), torch.randn(64, 2 * WINDOW, 83)
    losses = {}
    for net.best_of in (1, 10):
        with torch.no_grad():
            losses[net.best_of] = np.mean([float(net.loss(speaker, listener)) for _ in range(5)])
    assert losses[10] < losses[1]


def test_peers_learn(vae: TransVae, online: OnlineTransVae, diffusion: LatentDiffusion) -> None:
    for losses in (vae.losses, online.losses, *diffusion.losses):
        assert len(losses) == SMALL.steps
        assert np.mean(losses[-8:]) < 0.9 * np.mean(losses[:8])


def test_a_seed_trains_the_same_peer_again(vae: TransVae) -> None:
    short = SMALL.model_copy(update={"steps": 3})
    one, other = (TransVae.trained(TRAIN, short, seed=1) for _ in range(2))
    np.testing.assert_array_equal(one.losses, other.losses)
    different = TransVae.trained(TRAIN, short, seed=2)
    assert different.losses != one.losses


def test_noise_grows_until_nothing_is_left() -> None:
    kept = kept_share(torch.arange(NOISE_STEPS + 1))
    assert (kept.diff() <= 0).all()
    assert kept[0] > 0.99
    assert kept[-1] < 1e-3


def test_scales_go_there_and_back() -> None:
    rng = np.random.default_rng(0)
    rows: FloatArray = (rng.normal(size=(200, 3)) * [1, 5, 0.1] + [0, -40, 2]).astype(np.float32)
    rows[7, 1] = np.nan
    scale = Scale.of([rows[:80], rows[80:]])
    np.testing.assert_allclose(scale.mean, np.nanmean(rows, axis=0), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(scale.spread, np.nanstd(rows, axis=0), rtol=1e-4)
    assert scale.into(rows)[7, 1] == 0
    rows[7, 1] = scale.mean[1]
    np.testing.assert_allclose(scale.back(scale.into(rows)), rows, atol=1e-4)
