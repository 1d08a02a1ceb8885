"""The faces of an experiment: its data sets, read, divided into splits, checked and joined.

Each data set's own splits are used. What is missing is held out of its training split, by person where
persons are known, and always with all copies of a picture together.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import BeforeValidator, Field, field_validator

from visavis.base.words import counted
from visavis.channels import EXPRESSIONS
from visavis.datasets import fer2013, image_folder
from visavis.datasets.data_set import TEST_NAMES, TRAINING_NAMES, VALIDATION_NAMES, DataSet, usual_split
from visavis.datasets.faces import ImageFiles, LabeledFaces, LoadedImages
from visavis.datasets.registry import find_dataset
from visavis.errors import InputError
from visavis.expression.labels import FER2013_LABELS, FERPLUS_COLUMNS, expression_of
from visavis_train.expression.data.repeats import ROLES, Part, Repeats, Role, without_repeats
from visavis_train.loop.experiment import Settings
from visavis_train.loop.progress import Watch, no_progress

_NAMES = {"training": TRAINING_NAMES, "validation": VALIDATION_NAMES, "test": TEST_NAMES}


class DataSource(Settings):
    """A data set that ``visavis evaluate expressions`` reads.

    Attributes:
        path: its file or folder, relative to the working folder.
        labels: meanings of its labels, word by word: an expression, or "" to leave such faces out, such as
            ``{calm = "neutral", bored = ""}``. Words for expressions need none.
        person: a regular expression whose first group finds the person in a picture's file name, such as
            ``"^([a-z0-9]+)_"``; a table's column ``person`` needs none.
        training: name of its split to learn from; by default the usual names, such as ``train``.
        validation: name of its split that chooses the epoch; by default as ``val``.
        test: name of its split that is measured at the end; by default as ``test``.
    """

    path: Path
    labels: dict[str, str] = Field(default_factory=dict)
    person: str = ""
    training: str = ""
    validation: str = ""
    test: str = ""

    @field_validator("labels")
    @classmethod
    def _known(cls, labels: dict[str, str]) -> dict[str, str]:
        if wrong := [word for word in labels.values() if word and expression_of(word) is None]:
            raise ValueError(f"{wrong[0]!r} is no expression; expected {', '.join(EXPRESSIONS)}, or nothing")
        return labels

    @field_validator("person")
    @classmethod
    def _pattern(cls, pattern: str) -> str:
        try:
            groups = re.compile(pattern).groups
        except re.error as error:
            raise ValueError(f"{pattern!r} is no regular expression: {error}") from error
        if pattern and not groups:
            raise ValueError(f"{pattern!r} has no group; put the person's part into parentheses")
        return pattern


def data_sources(data: Any) -> Any:
    """What the key ``data`` may be, as a list of tables: a path, a table, or a list of either."""
    listed = data if isinstance(data, list | tuple) else [data]
    return [{"path": each} if isinstance(each, str | Path) else each for each in listed]


DataSources = Annotated[tuple[DataSource, ...], Field(min_length=1), BeforeValidator(data_sources)]


@dataclass(frozen=True, slots=True)
class Splits:
    """The faces of an experiment.

    Attributes:
        training: faces to learn.
        validation: faces that choose the epoch.
        test: faces that are measured once, at the end; None if a data set keeps them apart.
        files: the same faces as their data sets gave them, for each split; see :func:`read_splits`.
        notes: how the splits were made, in words.
    """

    training: LabeledFaces
    validation: LabeledFaces
    test: LabeledFaces | None
    files: tuple[tuple[Role, LabeledFaces], ...]
    notes: tuple[str, ...]

    @property
    def judged(self) -> LabeledFaces:
        """The faces of the final measurement: the test's, or the validation's if there is no test."""
        return self.validation if self.test is None else self.test


def read_splits(
    sources: Sequence[DataSource],
    *,
    held_out: float = 0.15,
    repeats: Repeats = "refuse",
    side_px: int = fer2013.SIDE_PX,
    seed: int = 0,
    watch: Watch = no_progress,
) -> Splits:
    """Read data sets and join their splits.

    The result's pictures are in memory, grey, (N, S, S). FER-2013 alone keeps its own labels, in its order;
    all others have ``EXPRESSIONS``.

    Args:
        sources: the data sets.
        held_out: share of a training split that becomes a validation split, and a test split, if there is
            none.
        repeats: what happens to pictures that occur in two splits, to persons that do, and to pictures with
            two labels. The repeats inside FER-2013 always stay: published figures include them.
        side_px: S.
        seed: of the held-out splits.
        watch: called with the progress.

    Raises:
        InputError: a data set cannot be read or divided, or has repeats that are refused.
    """
    rng = np.random.default_rng(seed)
    parts: dict[Role, list[Part]] = {role: [] for role in ROLES}
    notes: list[str] = []
    for number, source in enumerate(sources):
        if source in sources[:number]:
            raise InputError(f"data names {source.path} twice; name it once")
        for role, part in _split(source, held_out, side_px, rng, watch, notes).items():
            parts[role].append(part)
    if repeats != "keep":
        parts = without_repeats(parts, leave_out=repeats == "leave out", notes=notes)
    for role in ROLES[:2]:
        if not parts[role]:
            raise InputError(f"{sources[0].path}: no face is left for {role}")
    joined = {role: _join(role, some) for role, some in parts.items() if some}
    taught = joined["training"]
    if absent := [name for place, name in enumerate(taught.names) if place not in taught.labels]:
        notes.append(f"no face to learn from shows {', '.join(absent)}")
    files = tuple((role, part.faces) for role in ROLES for part in parts[role])
    return Splits(joined["training"], joined["validation"], joined.get("test"), files, tuple(notes))


def _split(
    source: DataSource,
    held_out: float,
    side_px: int,
    rng: np.random.Generator,
    watch: Watch,
    notes: list[str],
) -> dict[Role, Part]:
    found = find_dataset(source.path, source.labels)
    names = _roles(source, found)
    if unused := [split for split in found.splits if split not in names.values()]:
        notes.append(f"{source.path}: splits without a usual name are not used: {', '.join(unused)}")
    other = usual_split((*VALIDATION_NAMES, *TEST_NAMES), found.splits)
    if len(found.splits) == 1 and other and not source.training:
        notes.append(f"{source.path}: training learns from {other!r}, its only split")
    parts: dict[Role, Part] = {}
    for role, name in names.items():
        faces = _in_words(found.read(name), source)
        with watch(f"reading {name}", len(faces)) as advance:
            pixels = faces.gray(side_px, advance)
        words = np.asarray([EXPRESSIONS.index(str(expression_of(name))) for name in faces.names], np.int64)
        prints = np.asarray([hashlib.blake2b(face.tobytes(), digest_size=16).hexdigest() for face in pixels])
        parts[role] = Part(faces, words[faces.labels], pixels, prints)
    if found.name == image_folder.NAME:
        counts = sum((Counter(part.faces.counts) for part in parts.values()), Counter[str]())
        known = {name for part in parts.values() for name in part.faces.names}
        empty = sorted(name for name in known if not counts[name])
        notes += [f"{source.path}: the folder {name!r} has no picture" for name in empty]
    # A data set with a validation split keeps its test split to itself (AffectNet, FER-2013's PrivateTest).
    wanted: list[Role] = [] if "validation" in parts else ["validation"]
    wanted += [] if "validation" in names or "test" in parts else ["test"]
    if wanted:
        parts |= _hold_out(parts["training"], wanted, held_out, rng, source.path)
        apart = "each person is in one split only"
        if parts["training"].faces.persons is None:
            apart = "a person may be in several splits, since the data name no persons"
        kept = " and as many for ".join(wanted)
        notes.append(f"{source.path}: {held_out:.0%} of the training faces are held out for {kept}; {apart}")
    return parts


def _roles(source: DataSource, found: DataSet) -> dict[Role, str]:
    """The data set's splits by their use."""
    names: dict[Role, str] = {}
    for role in ROLES:
        if given := getattr(source, role):
            if given not in found.splits:
                raise InputError(f"{source.path}: no split {given!r}; it has {', '.join(found.splits)}")
            names[role] = given
        elif usual := usual_split(_NAMES[role], found.splits):
            names[role] = usual
    given = {role: name for role in ROLES if (name := getattr(source, role))}
    for role, name in given.items():
        if name in [other for before, other in given.items() if before != role]:
            raise InputError(
                f"{source.path}: the split {name!r} is declared twice; name another one for {role}"
            )
    if len(found.splits) == 1:
        if others := [role for role in given if role != "training"]:
            raise InputError(
                f"{source.path}: its only split {found.splits[0]!r} is declared for {others[0]}, so "
                f"there is none to learn from: leave out {others[0]}, or give the data set a second split"
            )
        return {"training": found.splits[0]}
    if "training" not in names:
        raise InputError(
            f"{source.path}: none of its splits {', '.join(found.splits)} is for training by its name: "
            'declare it in the experiment, data = [{ path = "...", training = "NAME" }]'
        )
    return names


def _in_words(faces: LabeledFaces, source: DataSource) -> LabeledFaces:
    """The faces with declared labels and persons."""
    renamed = tuple(source.labels.get(name, name) for name in faces.names)
    dropped = np.asarray([not name for name in renamed])[faces.labels]
    if dropped.any():
        faces = faces[~dropped]
    faces = replace(faces, names=tuple(new or old for new, old in zip(renamed, faces.names, strict=True)))
    if not source.person:
        return faces
    persons = []
    for row in range(len(faces)):
        place, images = faces.images.place(row), faces.images
        name = images.files[row].path.name if isinstance(images, ImageFiles) else Path(place).name
        if not (match := re.search(source.person, name)):
            raise InputError(f"{place}: person = {source.person!r} finds no person in the file name {name}")
        persons.append(match[1] or "")
    return replace(faces, persons=np.asarray(persons))


def _hold_out(
    part: Part, wanted: Sequence[Role], share: float, rng: np.random.Generator, path: Path
) -> dict[Role, Part]:
    """Divide a training split: groups of faces, drawn at random, go where their labels are most needed."""
    persons = part.faces.persons
    keys = part.prints if persons is None else np.where(persons != "", persons, part.prints)
    _, group = np.unique(keys, return_inverse=True)
    if group.max() < len(wanted):
        what = counted(int(group.max()) + 1, "person" if persons is not None else "different picture")
        raise InputError(f"{path}: {what}; {', '.join(wanted)} and training need more")
    counts = np.zeros((group.max() + 1, len(EXPRESSIONS)))
    np.add.at(counts, (group, part.words), 1)
    needed = {role: share * counts.sum(axis=0) for role in wanted}
    role_of = np.zeros(len(counts), np.int64)
    for one in rng.permutation(len(counts)):
        needs = [float(needed[role] @ counts[one] / counts[one].sum()) for role in wanted]
        best = int(np.argmax(needs))
        if needs[best] >= 0.5:
            role_of[one] = best + 1
            needed[wanted[best]] -= counts[one]
    found: dict[Role, Part] = {}
    for number, role in enumerate(("training", *wanted)):
        if not (chosen := role_of[group] == number).any():
            raise InputError(
                f"{path}: {len(part.faces)} faces are too few to hold out {share:.0%} for "
                f"{', '.join(wanted)}: bring more, or raise held_out"
            )
        found[role] = part[chosen]
    return found


def _join(role: Role, parts: Sequence[Part]) -> LabeledFaces:
    """One split of all data sets, its pictures in memory."""
    whole = [part.faces for part in parts]
    pixels = np.concatenate([part.pixels for part in parts])
    places = [faces.images.place(row) for faces in whole for row in range(len(faces))]
    images = LoadedImages(pixels, np.asarray(places))
    if len(whole) == 1 and parts[0].official and whole[0].names == FER2013_LABELS:
        return replace(whole[0], images=images)
    left_out: Counter[str] = Counter()
    for faces in whole:
        left_out.update(faces.left_out)
    votes = np.concatenate(
        [np.zeros((len(f), len(FERPLUS_COLUMNS)), np.int64) if f.votes is None else f.votes for f in whole]
    )
    persons = np.concatenate([np.full(len(f), "") if f.persons is None else f.persons for f in whole])
    return LabeledFaces(
        " + ".join(dict.fromkeys(faces.name for faces in whole)),
        role,
        EXPRESSIONS,
        np.concatenate([part.words for part in parts]),
        images,
        votes if votes.any() else None,
        left_out,
        persons if (persons != "").any() else None,
    )
