"""Faces that must not repeat: pictures or persons in two splits, and pictures with two labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from visavis.base.words import counted
from visavis.channels import EXPRESSIONS
from visavis.datasets import fer2013
from visavis.datasets.faces import LabeledFaces
from visavis.errors import InputError
from visavis.types import BoolArray, ImageArray

Role: TypeAlias = Literal["training", "validation", "test"]
ROLES: tuple[Role, ...] = ("training", "validation", "test")
Repeats: TypeAlias = Literal["refuse", "leave out", "keep"]


@dataclass(frozen=True, slots=True)
class Part:
    """One split of one data set.

    Attributes:
        faces: as they were read.
        words: (N,) index into EXPRESSIONS.
        pixels: (N, S, S) grey pictures.
        prints: (N,) fingerprints of ``pixels``.
    """

    faces: LabeledFaces
    words: NDArray[np.int64]
    pixels: ImageArray
    prints: NDArray[np.str_]

    def __getitem__(self, chosen: BoolArray) -> Part:
        """The faces where the mask (N,) is true."""
        return Part(self.faces[chosen], self.words[chosen], self.pixels[chosen], self.prints[chosen])

    @property
    def official(self) -> bool:
        """Whether the faces are of FER-2013, which repeats pictures."""
        return self.faces.name == fer2013.NAME


def without_repeats(
    parts: Mapping[Role, list[Part]], *, leave_out: bool, notes: list[str]
) -> dict[Role, list[Part]]:
    """The parts without faces that are also in another split, and without pictures of two labels.

    Raises:
        InputError: there are some, and ``leave_out`` is off.
    """
    keep = {id(part): np.ones(len(part.faces), np.bool_) for some in parts.values() for part in some}
    for part, row, fault, clashing in _faults(parts):
        if not leave_out:
            raise InputError(
                f"{part.faces.images.place(row)}: {fault}: correct the data, or set repeats='leave out' or "
                "'keep'"
            )
        keep[id(part)][row] = False
        if clashing is not None:
            keep[id(clashing[0])][clashing[1]] = False
    if dropped := sum(int((~mask).sum()) for mask in keep.values()):
        notes.append(f"{counted(dropped, 'face')} left out: in two splits, or with two labels")
    return {
        role: [part[keep[id(part)]] for part in some if keep[id(part)].any()] for role, some in parts.items()
    }


def _faults(
    parts: Mapping[Role, list[Part]],
) -> Iterator[tuple[Part, int, str, tuple[Part, int] | None]]:
    """Each face that must go: its part and row, the reason, and the face whose label clashes with its own."""
    pictures: dict[str, tuple[Role, Part, int]] = {}
    people: dict[str, Role] = {}
    for role in reversed(ROLES):  # Training gives way.
        for part in parts[role]:
            persons = part.faces.persons
            for row, picture in enumerate(part.prints.tolist()):
                before, first, number = pictures.setdefault(picture, (role, part, row))
                person = "" if persons is None else str(persons[row])
                one, two = EXPRESSIONS[part.words[row]], EXPRESSIONS[first.words[number]]
                where = first.faces.images.place(number)
                official = first.official and part.official
                if one != two and not official:
                    fault = f"labelled {one}, but {where} is the same picture, labelled {two}"
                    yield part, row, fault, (first, number)
                elif role != before and not official:
                    yield part, row, f"in {role}, but {where} is the same picture, in {before}", None
                elif person and (other := people.setdefault(person, role)) != role:
                    yield part, row, f"in {role}, but the person {person} is in {other} too", None
