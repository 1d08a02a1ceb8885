from __future__ import annotations

import pkgutil
from importlib import import_module

import pytest

from support.samples import sample
from visavis.errors import InputError
from visavis.outputs import formats
from visavis.outputs.registry import connect_output, open_output, output_schemes


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
