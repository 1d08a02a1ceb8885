from __future__ import annotations

import pkgutil
from importlib import import_module

import pytest

from support.samples import sample
from visavis.errors import InputError
from visavis.outputs import formats
from visavis.outputs.registry import connect_output, open_output, open_outputs, output_schemes


def test_every_module_of_a_format_is_a_scheme() -> None:
    assert output_schemes() == tuple(sorted(each.name for each in pkgutil.iter_modules(formats.__path__)))
    assert {"livelink", "osf"} <= set(output_schemes())


@pytest.mark.parametrize("scheme", output_schemes())
def test_a_format_says_what_it_is_and_connects(scheme: str) -> None:
    module = import_module(f"{formats.__name__}.{scheme}")
    first = (module.__doc__ or "").splitlines()[0]
    assert first.endswith(".")
    assert len(first) > 20
    assert callable(module.connect)


def test_the_scheme_is_read_in_any_case() -> None:
    address, _ = connect_output("LiveLink://localhost/Anna")
    assert (address.scheme, address.name) == ("livelink", "Anna")


@pytest.mark.parametrize("text", ["nosuch://localhost", "formats://localhost", "__init__://localhost"])
def test_an_unknown_scheme_names_the_known_ones(text: str) -> None:
    with pytest.raises(InputError) as caught:
        connect_output(text)
    assert text in str(caught.value)
    if text.startswith("nosuch"):
        assert "no output is called 'nosuch'; there are " in str(caught.value)
        assert "livelink" in str(caught.value)


def test_an_output_can_be_opened_and_left() -> None:
    with open_output("livelink://127.0.0.1:9/Anna") as outlet:
        outlet.send(sample(jawOpen=0.5))
    assert (outlet.address, outlet.status.sent) == ("livelink://127.0.0.1:9/Anna", 1)


def test_nothing_is_opened_if_one_address_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[str] = []
    monkeypatch.setattr("visavis.outputs.registry.Sender", lambda name, *_: started.append(name))
    with pytest.raises(InputError), open_outputs(["livelink://localhost", "nosuch://"]):
        pass
    assert started == []


@pytest.mark.parametrize(
    "addresses",
    [
        ("vmc://localhost:39539", "vmc://localhost:39539"),
        ("vmc://localhost", "vmc://127.0.0.1:39539"),
        ("vmc://", "vmc://?mirror=1"),
        ("vts://", "vts://"),
    ],
)
def test_one_receiver_is_named_once(addresses: tuple[str, str]) -> None:
    with pytest.raises(InputError, match="names one receiver twice"), open_outputs(addresses):
        pass


def test_two_formats_or_computers_are_two_receivers() -> None:
    with open_outputs(["vmc://127.0.0.1:9", "osf://127.0.0.1:9", "vmc://127.0.0.2:9"]) as senders:
        assert len(senders) == 3
