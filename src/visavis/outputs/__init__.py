"""Outputs: face, expression and avatar, sent live into other programs by their own protocols.

An address such as ``vmc://localhost:39539`` names an output. Its scheme is the name of a module in
:mod:`visavis.outputs.formats`; a new format needs only such a module and its test.
"""

from visavis.base.address import Address
from visavis.outputs.datagrams import Datagrams, Encoder
from visavis.outputs.registry import open_output, open_outputs, output_schemes
from visavis.outputs.sample import Sample
from visavis.outputs.sender import Connection, NotReadyError, Sender, Status

__all__ = [
    "Address",
    "Connection",
    "Datagrams",
    "Encoder",
    "NotReadyError",
    "Sample",
    "Sender",
    "Status",
    "open_output",
    "open_outputs",
    "output_schemes",
]
