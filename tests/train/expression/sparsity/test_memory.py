"""The memory that a network adds to a separate process."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from visavis.base import networks
from visavis.errors import VisavisError
from visavis_train.expression.sparsity.memory import inference_bytes, peak_bytes

linux = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")


@linux
def test_the_embedded_network_needs_a_few_megabytes_whoever_asks() -> None:
    network = networks.read("expression")
    large = np.ones(40_000_000)  # The process that asks is larger by 320 MB; its child must not be.
    found = inference_bytes(network)
    assert found is not None
    assert len(network) / 4 < found < 100e6
    assert large.all()


@linux
def test_a_network_that_cannot_be_opened_is_told() -> None:
    with pytest.raises(
        VisavisError, match=r"memory of a network could not be measured: the network: no ONNX network"
    ):
        inference_bytes(b"nothing")


@linux
def test_the_peak_rises_and_stays() -> None:
    before = peak_bytes()
    taken = np.ones((peak_bytes() or 0) // 8)
    after = peak_bytes()
    assert before is not None
    assert after is not None
    assert after > before + taken.nbytes / 4
    del taken
    assert (peak_bytes() or 0) > 0.99 * after  # Linux counts in batches of pages.


def test_other_systems_do_not_tell(tmp_path: Path) -> None:
    assert peak_bytes(tmp_path / "none") is None
    (tmp_path / "status").write_text("Name:\tpython\nVmHWM:\t    2048 kB\nVmRSS:\t 1 kB\n")
    assert peak_bytes(tmp_path / "status") == 2048 * 1024
