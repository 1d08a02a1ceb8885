"""Presets of configurations: a preset's name stands for several keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import model_validator

from visavis_train.loop.experiment import Settings


class PresetSettings(Settings):
    """Base of configurations with a field ``preset``; keys given with it take precedence.

    Attributes:
        presets: the keys of each preset, by its name.
    """

    presets: ClassVar[Mapping[str, Mapping[str, Any]]]

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        name = values.get("preset", cls.model_fields["preset"].default)
        return {**cls.presets.get(name, {}), **values}
