"""Any network of timm, by its name, as an expression network."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, Self
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies, proxy_bypass

from pydantic import Field, field_validator, model_validator
from torch import Tensor, nn

from visavis.base.words import reason
from visavis.errors import InputError, MissingExtraError, VisavisError
from visavis_train.expression.models.heads import ExpressionNet
from visavis_train.expression.models.published import note_taken, read_weights
from visavis_train.loop.experiment import Settings

# What repositories of timm's weights hold.
_HUB_FILES = ("model.safetensors", "pytorch_model.bin")
# Arguments of timm's constructor that follow from other settings, or would change what the network gives.
_OURS = (
    "in_chans",
    "num_classes",
    "features_only",
    "pretrained",
    "pretrained_cfg_overlay",
    "checkpoint_path",
)


class TimmConfig(Settings):
    """A network of the library timm (Wightman, Apache-2.0).

    Attributes:
        kind: which network this is.
        name: the network's name in timm, such as ``resnet50``, ``mobilenetv2_100``, ``vgg16_bn`` or
            ``vit_base_patch16_224``.
        image_px: side of the input, to which FER-2013's 48 px are enlarged. All pictures have this side.
        pretrained: start from weights that timm downloads from a hub; needs the internet once.
        weights: start from this safetensors file of the same network, in timm's names and with three colours.
        dropout: share of pooled features dropped before the heads in training.
        drop_path: chance to skip a block in training, per face, if the network supports this.
        arguments: passed to timm's constructor, such as ``{channels = [24, 48, 96, 192]}``.
    """

    kind: Literal["timm"] = "timm"
    name: str
    image_px: int = Field(default=224, ge=16)
    pretrained: bool = False
    weights: Path | None = None
    dropout: float = Field(default=0.0, ge=0, lt=1)
    drop_path: float = Field(default=0.0, ge=0, lt=1)
    arguments: dict[str, str | bool | int | float | list[int]] = Field(default_factory=dict)

    @field_validator("arguments")
    @classmethod
    def _not_ours(
        cls, arguments: dict[str, str | bool | int | float | list[int]]
    ) -> dict[str, str | bool | int | float | list[int]]:
        if ours := [name for name in arguments if name in _OURS]:
            raise ValueError(f"{ours[0]} is not for arguments: visavis sets it")
        return arguments

    @model_validator(mode="after")
    def _one_start(self) -> Self:
        if self.pretrained and self.weights is not None:
            raise ValueError("pretrained and weights are two starts: leave one of them out")
        return self

    @property
    def side_step_px(self) -> int:
        """Sides of pictures are multiples of this: many of timm's networks take one side only."""
        return self.image_px


class TimmNet(ExpressionNet):
    """The network of :class:`TimmConfig`; timm makes its input layer grey, adding up the colours' weights.

    Raises:
        MissingExtraError: timm is not installed.
        InputError: timm does not know the network or its arguments.
        VisavisError: pretrained weights cannot be fetched, or torchvision does not fit torch.
    """

    def __init__(self, config: TimmConfig, *, download: bool = True) -> None:
        super().__init__()
        timm = _import_timm()
        if not timm.is_model(config.name):
            near = ", ".join(timm.list_models(f"*{config.name.rstrip('0123456789')}*")[:5])
            raise InputError(f"timm has no network {config.name!r}" + (f"; it has {near}" if near else ""))
        wanted: dict[str, Any] = {"in_chans": 1, "num_classes": 0}
        if config.drop_path > 0:
            wanted["drop_path_rate"] = config.drop_path
        try:
            if timm.get_pretrained_cfg(config.name).fixed_input_size:
                wanted["img_size"] = config.image_px
            wanted |= config.arguments
            fetch = config.pretrained and download
            if config.weights is not None and download:
                self._check(config.weights, timm.create_model(config.name, **wanted))
                fetch = True
                wanted["pretrained_cfg_overlay"] = {
                    "source": "",
                    "file": str(config.weights),
                    "custom_load": False,
                }
            elif fetch:
                _require_hub(timm.get_pretrained_cfg(config.name).hf_hub_id)
            self.network = timm.create_model(config.name, pretrained=fetch, **wanted)
        except OSError as error:
            raise VisavisError(
                f"the pretrained weights of {config.name} are not on this computer and cannot be fetched: go "
                "online for the first run, or set model.pretrained=false, and model.weights=FILE.safetensors "
                "if you have them"
            ) from error
        except (AssertionError, ImportError, RuntimeError, TypeError, ValueError) as error:
            said = " ".join(str(error).split())[:160]
            raise InputError(f"timm cannot make {config.name} with these settings: {said}") from error
        self.add_heads(self.network.head_hidden_size, config.dropout)

    @staticmethod
    def _check(path: Path, network: nn.Module) -> None:
        """Whether the file has all parts of the network; timm fits input layer and positions itself."""
        tensors = read_weights(path)
        own = network.state_dict().keys()
        known = [key for key in own if not key.endswith("num_batches_tracked")]
        if missing := [key for key in known if key not in tensors]:
            raise InputError(
                f"{path}: of another network: {len(missing)} of {len(known)} tensors are missing "
                f"({missing[0]}); expected timm's names"
            )
        note_taken(path, len(tensors.keys() & own), sorted(tensors.keys() - own))

    def features(self, x: Tensor) -> Tensor:
        """(N, 1, S, S) -> (N, width), with the network's own pooling."""
        result: Tensor = self.network(x)
        return result


def _require_hub(repository: str | None) -> None:
    """Ask once whether weights can be fetched: the hub's library asks twelve times, and tells each.

    Raises:
        OSError: the weights are not in the cache, and the hub does not answer.
        VisavisError: they are not in the cache, and the proxy on the way to the hub does not answer, or has
            no right address.
    """
    from huggingface_hub import constants, try_to_load_from_cache

    if not repository:
        return
    if any(isinstance(try_to_load_from_cache(repository, file), str) for file in _HUB_FILES):
        return
    place = urlsplit(constants.ENDPOINT)
    proxies = {} if proxy_bypass(place.hostname or "") else getproxies()
    kind = next((kind for kind in (place.scheme, "all") if proxies.get(kind)), None)
    if kind is None:
        _reach(place)
        return
    setting = next((name for name in os.environ if name.lower() == f"{kind}_proxy"), "the system's proxy")
    mend = f"mend or unset {setting}, or set model.pretrained=false"
    try:
        proxy = urlsplit(proxies[kind] if "://" in proxies[kind] else f"http://{proxies[kind]}")
        if not proxy.hostname or proxy.path.strip("/"):
            raise ValueError("no host, or more than host and port")
        _reach(proxy)
    except ValueError as error:  # Its words may hold a part of a password.
        raise VisavisError(
            f"pretrained weights are fetched through a proxy, and {setting} is no address of a proxy, such "
            f"as http://proxy.example:3128: {mend}"
        ) from error
    except OSError as error:
        raise VisavisError(
            f"pretrained weights are fetched through the proxy {proxy.hostname}, which does not answer "
            f"({reason(error)}): {mend}"
        ) from error


def _reach(place: SplitResult) -> None:
    """Open a connection and close it again.

    Raises:
        OSError: there is no answer.
        ValueError: the port or the host cannot be one.
    """
    usual = 1080 if place.scheme.startswith("socks") else 443 if place.scheme == "https" else 80
    socket.create_connection((place.hostname or "", place.port or usual), timeout=10).close()


def _import_timm() -> ModuleType:
    # Imported only here: it takes seconds, and most experiments do not need it.
    try:
        import timm
    except ImportError as error:
        raise MissingExtraError("timm", "train", "model.kind = 'timm'") from error
    except RuntimeError as error:  # The known case: a torchvision operator does not exist.
        raise VisavisError(
            f"timm cannot be loaded: {error}; install torch and torchvision from one and the same place"
        ) from error
    module: ModuleType = timm
    return module
