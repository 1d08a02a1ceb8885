"""Listener networks: tokens are one to one with digits, all is causal, a stream equals a clip."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import Tensor

from visavis.errors import InputError, WeightsError
from visavis.reaction.head import TokenHead as RuntimeHead
from visavis.reaction.predictor import Heard as RuntimeHeard
from visavis.reaction.predictor import Predictor, StreamMemory
from visavis_train.listener.batches import Batch, Conversation
from visavis_train.listener.causal_attention import AttentionMemory, AttentionWindow, GatedCrossLayer
from visavis_train.listener.digits import DigitHead, Digits
from visavis_train.listener.network import HeardTensors, ListenerConfig, ListenerNet, into_patches
from visavis_train.listener.release import LISTENER_FILE, export_listener
from visavis_train.listener.trainer import ListenerTrainer, ListenerTraining

LEVELS = (4, 3, 5)
CONTEXT = 7


def network(sound: int = 3, controls: int = 2, patch: int = 1, **sizes: int | str) -> ListenerNet:
    torch.manual_seed(0)
    config = ListenerConfig(
        levels=LEVELS,
        sound_channels=sound,
        controls=controls,
        patch=patch,
        context=CONTEXT,
        **{"width": 16, "heads": 2, "layers": 2, **sizes},
    )
    net = ListenerNet(config).eval()
    with torch.no_grad():  # Gates and biases start at 0, where they would hide what they let through.
        for weights in net.parameters():
            weights += 0.1 * torch.randn_like(weights)
    return net


def batch_for(net: ListenerNet, frames: int = 24, count: int = 2) -> Batch:
    rng = torch.Generator().manual_seed(1)
    sound = torch.randn(count, frames, net.config.sound_channels, generator=rng)
    if net.config.sound_channels:
        sound[0, 3] = torch.nan
    return Batch(
        torch.randint(-1, 60, (count, frames), generator=rng),
        torch.randint(0, 60, (count, frames), generator=rng),
        sound,
        torch.rand(count, net.config.controls, generator=rng),
    )


@torch.no_grad()
def predicted(net: ListenerNet, batch: Batch) -> Tensor:
    """(N, F, V) log-probabilities of a whole clip."""
    return net(batch.heard(net.config.patch))[0].flatten(1, 2)


@torch.no_grad()
@pytest.mark.parametrize(
    ("gate", "expected"), [(0.25, [[2.75, -0.75], [0.0, 2.0]]), (None, [[2, 0], [0, 2]])]
)
def test_a_layer_is_the_formula_of_the_paper(gate: float | None, expected: list[list[float]]) -> None:
    """x + SA(x) + a CA(SA(x), y) + MLP (Fig. 3), on numbers that a hand can compute."""
    layer = GatedCrossLayer(width=2, heads=1, source=2, mlp_ratio=1, dropout=0.0, gate=gate)
    for weights in layer.mlp.parameters():
        weights.zero_()
    assert layer.cross is not None
    for look in (layer.look, layer.cross.look):  # Attention that gives the mean of what is seen.
        for weights in look.parameters():
            weights.zero_()
        look.key_value.weight[2:] = look.out.weight[:] = torch.eye(2)
    # Normalised, x is (1, -1), (-1, 1) and y is (-1, 1), (1, -1); the means of the second row are 0.
    x, y = torch.tensor([[[2.0, 0.0], [0.0, 2.0]], [[0.0, 4.0], [6.0, 2.0]]])[:, None]
    found = layer(x, y, AttentionWindow(4).whole(), AttentionMemory(None))[0]
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float32), atol=1e-4, rtol=0)


def test_gates_can_be_left_out() -> None:
    gated, plain = (
        ListenerNet(ListenerConfig(levels=LEVELS, sound_channels=3, gate=gate)) for gate in (0.25, "none")
    )
    gates = {name: value.item() for name, value in gated.named_parameters() if name.endswith(".gate")}
    assert set(gates.values()) == {0.25}
    assert {name for name, _ in plain.named_parameters()} == {n for n, _ in gated.named_parameters()} - set(
        gates
    )


@given(st.lists(st.integers(2, 6), min_size=1, max_size=4))
def test_digits_number_the_tokens(levels: list[int]) -> None:
    digits = Digits(levels)
    every = digits(torch.arange(digits.vocabulary))
    places = [int(np.prod(levels[:k])) for k in range(len(levels))]
    assert (every * torch.tensor(places)).sum(-1).tolist() == list(range(digits.vocabulary))
    assert (every.amax(0) == torch.tensor(levels) - 1).all()


@pytest.mark.parametrize("levels", [(6,), LEVELS])
def test_the_head_is_a_distribution_that_the_program_knows_too(levels: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    head, hidden = DigitHead(levels, 8), torch.randn(5, 8)
    with torch.no_grad():
        every = torch.arange(head.digits.vocabulary)[None].expand(5, -1)
        nats = head(hidden[:, None].expand(-1, every.shape[1], -1), every)
        torch.testing.assert_close((-nats).exp().sum(-1), torch.ones(5))
        ours = RuntimeHead(levels, 8, head.weights().numpy())
        states = np.repeat(hidden[:, None].numpy(), every.shape[1], axis=1)
        np.testing.assert_allclose(ours.nats(states, every.numpy()), nats.numpy(), atol=1e-5)


def test_the_head_draws_what_it_predicts() -> None:
    torch.manual_seed(0)
    head, hidden = DigitHead((3, 2), 8), torch.randn(8)
    tokens = torch.arange(6)
    chances = (-head(hidden.expand(6, 8), tokens)).exp()
    drawn = head.draw(hidden.expand(20_000, 1, 8))
    assert drawn.shape == (20_000, 1)
    shares = torch.bincount(drawn.flatten(), minlength=6) / len(drawn)
    assert shares.numpy() == pytest.approx(chances.detach().numpy(), abs=0.02)


def test_own_draws_take_the_place_of_a_share_of_the_past_alone() -> None:
    net = network()
    batch = batch_for(net, 400)
    rows = (batch.speaker, batch.own, batch.sound, batch.controls)
    one = Conversation("one", *(values[0].numpy() for values in rows))
    trainer = ListenerTrainer(net, ListenerTraining(own_draws=0.25), [one], (), 0)
    heard = batch.heard(1)
    mixed = trainer._with_own_draws(heard)
    assert torch.equal(mixed.speaker, heard.speaker)
    assert torch.equal(mixed.own[:, 0], heard.own[:, 0])  # There is no past before the first frame.
    changed = (mixed.own != heard.own).float().mean()
    assert 0.15 < changed < 0.26  # A few draws hit the true token.


@pytest.mark.parametrize(("patch", "form"), [(1, "joined"), (4, "joined"), (1, "stacks"), (4, "stacks")])
@pytest.mark.parametrize("what", ["speaker", "sound", "own"])
def test_nothing_sees_the_future(what: str, patch: int, form: str) -> None:
    net = network(patch=patch, form=form)
    batch, changed = batch_for(net), batch_for(net)
    frame = 12
    values = getattr(changed, what)
    values[:, frame + 1 :] = (values[:, frame + 1 :] + 1) % 60
    before, after = predicted(net, batch), predicted(net, changed)
    # One's own token of a frame is what that frame predicts, so it may change the frames behind it alone.
    torch.testing.assert_close(before[:, : frame + 1], after[:, : frame + 1], rtol=0, atol=0)
    assert not torch.allclose(before[:, frame + 1 :], after[:, frame + 1 :])


@pytest.mark.parametrize("what", ["speaker", "sound"])
def test_a_cause_is_heard_in_its_own_frame(what: str) -> None:
    net = network()
    batch, changed = batch_for(net), batch_for(net)
    getattr(changed, what)[:, 12] = (getattr(changed, what)[:, 12] + 1) % 60
    assert not torch.allclose(predicted(net, batch)[:, 12], predicted(net, changed)[:, 12])


def test_a_position_reaches_back_by_the_context_in_each_layer() -> None:
    net = network(layers=1)
    batch, changed = batch_for(net), batch_for(net)
    changed.speaker[:, 2] = (changed.speaker[:, 2] + 1) % 60
    # One layer: the speaker looks back at itself, and then the listener at the speaker.
    reach = 2 + 2 * CONTEXT
    differs = (predicted(net, batch) != predicted(net, changed)).any(-1).any(0)
    assert differs[2]
    assert differs[reach]
    assert not differs[reach + 1 :].any()


def test_items_are_strangers_to_each_other() -> None:
    net = network()
    batch, changed = batch_for(net), batch_for(net)
    changed.speaker[1] = 7
    torch.testing.assert_close(predicted(net, batch)[0], predicted(net, changed)[0], rtol=0, atol=0)


def test_the_gate_starts_closed() -> None:
    torch.manual_seed(0)
    net = ListenerNet(ListenerConfig(levels=LEVELS, width=16, heads=2, layers=2, context=CONTEXT)).eval()
    batch, changed = batch_for(net), batch_for(net)
    changed.speaker[:] = 5
    torch.testing.assert_close(predicted(net, batch), predicted(net, changed), rtol=0, atol=0)


def test_unknown_frames_have_no_loss() -> None:
    net = network()
    batch = batch_for(net)
    batch.own[0, 5] = -1
    loss = net.loss(batch.heard(1), into_patches(batch.own, 1))
    assert loss.isnan().nonzero().tolist() == [[0, 5, 0]]


@torch.no_grad()
def test_six_stacks_are_those_of_the_published_code() -> None:
    """Sound, face, both crossed; speaker, listener, both crossed; later cross layers look at themselves."""
    net = network(form="stacks", layers=3)
    streams = ("sound", "face", "heard", "speaker", "own", "answer")
    assert [len(getattr(net, f"{name}_layers")) for name in streams] == [3] * 6
    assert net.attentions == (3 * 4 + 4, 3 * 3 - 1)
    assert network(form="stacks", layers=3, sound=0).attentions == (3 * 2 + 1, 3 * 3 - 1)
    seen: list[tuple[Tensor, Tensor | None, Tensor]] = []
    for name in streams:
        for layer in getattr(net, f"{name}_layers"):
            layer.register_forward_hook(lambda _, given, found: seen.append((given[0], given[1], found)))
    net(batch_for(net).heard(1))
    face, sound, heard, speaker, own, answer = (seen[at : at + 3] for at in (0, 3, 6, 9, 12, 15))
    for alone in (face, sound, speaker, own):
        assert all(source is None for _, source, _ in alone)
    for crossed, first, other in ((heard, face, sound), (answer, own, speaker)):
        assert crossed[0][0] is first[-1][2]
        assert crossed[0][1] is other[-1][2]
        assert all(source is x for x, source, _ in crossed[1:])
    assert speaker[0][0] is heard[-1][2]


@pytest.fixture(scope="module", params=["joined", "stacks"])
def exported(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> tuple[ListenerNet, Predictor]:
    net = network(form=request.param)
    return net, export_listener(net, tmp_path_factory.mktemp("listener"), NOTES)


NOTES = {"frame_rate_hz": 25.0, "speaks": "faces"}


def runtime(heard: HeardTensors, start: int, stop: int) -> RuntimeHeard:
    return RuntimeHeard(*(np.ascontiguousarray(part[:, start:stop].numpy()) for part in heard))


@settings(max_examples=15)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=24))
def test_a_stream_equals_a_clip(exported: tuple[ListenerNet, Predictor], chunks: list[int]) -> None:
    net, predictor = exported
    batch = batch_for(net)
    heard, expected = batch.heard(1), predicted(net, batch)
    memory, start = predictor.memory(2), 0
    for size in chunks:
        stop = min(start + size, expected.shape[1])
        if stop == start:
            break
        found = predictor.predict(runtime(heard, start, stop), memory)[:, :, 0]
        np.testing.assert_allclose(found, expected[:, start:stop].numpy(), atol=2e-5)
        start = stop


def test_a_reset_memory_is_as_new(exported: tuple[ListenerNet, Predictor]) -> None:
    net, predictor = exported
    heard = runtime(batch_for(net).heard(1), 0, 10)
    memory = predictor.memory(2)
    first = predictor.predict(heard, memory)
    memory.reset()
    np.testing.assert_array_equal(first, predictor.predict(heard, memory))


def held(memory: StreamMemory) -> int:
    return sum(part.nbytes for part in (*memory.speaker, *memory.own, memory.ages))


def test_a_memory_does_not_grow(exported: tuple[ListenerNet, Predictor]) -> None:
    net, predictor = exported
    memory = predictor.memory(2)
    size = held(memory)
    for _ in range(20):
        predictor.predict(runtime(batch_for(net).heard(1), 0, 3), memory)
    assert held(memory) == size
    assert memory.ages.max() == CONTEXT


def test_listeners_of_one_speaker_are_as_listeners_of_equal_speakers(
    exported: tuple[ListenerNet, Predictor],
) -> None:
    net, predictor = exported
    alike = runtime(batch_for(net, count=6).heard(1), 0, 24)
    first = np.repeat([0, 3], 3)
    alone = RuntimeHeard(alike.speaker[first], alike.own, alike.sound[first], alike.controls)
    shared = RuntimeHeard(alike.speaker[::3], alike.own, alike.sound[::3], alike.controls)
    memories = predictor.memory(6), predictor.memory(6, 2)
    for start in range(0, 24, 4):
        found = [
            predictor.predict(RuntimeHeard(*(part[:, start : start + 4] for part in parts)), memory)
            for parts, memory in zip(
                [(h.speaker, h.own, h.sound, h.controls) for h in (alone, shared)], memories, strict=True
            )
        ]
        np.testing.assert_allclose(*found, atol=1e-5)
    assert memories[1].speaker[0].size * 3 == memories[0].speaker[0].size


def test_a_listener_of_an_earlier_version_says_what_to_do(tmp_path: Path) -> None:
    export_listener(network(layers=1), tmp_path, NOTES)
    model = onnx.load(tmp_path / LISTENER_FILE)
    (cache,) = (each for each in model.metadata_props if each.key == "cache")
    cache.value = "[6, 2, 8]"
    onnx.save(model, tmp_path / "old.onnx")
    with pytest.raises(WeightsError, match="exported by an earlier version: add --resume"):
        Predictor.load(tmp_path / "old.onnx")


def test_a_listener_that_hears_nothing_is_exported(
    tmp_path: Path, exports: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.onnx, "export", exports)  # As users export.
    net = network(sound=0, controls=0, layers=1)
    predictor = export_listener(net, tmp_path, NOTES)
    batch = batch_for(net)
    found = predictor.predict(runtime(batch.heard(1), 0, 24), predictor.memory(2))[:, :, 0]
    np.testing.assert_allclose(found, predicted(net, batch).numpy(), atol=2e-5)


def test_arrays_that_do_not_fit_are_named(exported: tuple[ListenerNet, Predictor]) -> None:
    net, predictor = exported
    heard = runtime(batch_for(net).heard(1), 0, 4)
    with pytest.raises(InputError, match=r"speaker has shape \(2, 4, 1\); expected \(3, 4, 1\)"):
        predictor.predict(heard, predictor.memory(3))
    wrong = RuntimeHeard(heard.speaker, heard.own + 60, heard.sound, heard.controls)
    with pytest.raises(InputError, match="own holds tokens 59 to 1"):
        predictor.predict(wrong, predictor.memory(2))
    silent = RuntimeHeard(heard.speaker, heard.own, heard.sound[..., :1], heard.controls)
    with pytest.raises(InputError, match="sound has shape"):
        predictor.predict(silent, predictor.memory(2))


def test_files_that_are_no_listener_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        Predictor.load(tmp_path / LISTENER_FILE)
    (tmp_path / "text.onnx").write_text("no network")
    with pytest.raises(WeightsError, match="no ONNX network in its"):
        Predictor.load(tmp_path / "text.onnx")


def test_impossible_sizes_are_named() -> None:
    with pytest.raises(ValidationError, match="width 16 is no multiple of heads 3"):
        ListenerConfig(levels=LEVELS, width=16, heads=3)
    with pytest.raises(ValidationError, match="less than or equal to 32"):
        ListenerConfig(levels=LEVELS, patch=33)
