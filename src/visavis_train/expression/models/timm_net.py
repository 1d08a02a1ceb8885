"""Any network of timm, by its name, as an expression network."""

from __future__ import annotations

from types import ModuleType
from typing import Any, Literal

from pydantic import Field
from torch import Tensor

from visavis.errors import InputError, MissingExtraError, VisavisError
from visavis_train.expression.models.heads import ExpressionNet
from visavis_train.loop.experiment import Settings


class TimmConfig(Settings):
    """A network of the library timm (Wightman, Apache-2.0).

    Attributes:
        kind: which network this is.
        name: in timm, such as ``resnet50``, ``mobilenetv2_100``, ``vgg16_bn`` or ``vit_base_patch16_224``.
        image_px: side of the input; FER-2013's 48 px are enlarged to it. All pictures have this side.
        pretrained: start from weights that timm fetches from a hub; needs the internet, once.
        dropout: share of pooled features dropped before the heads in training.
        drop_path: chance to skip a block in training, per face, where the network knows that.
        arguments: handed to timm's constructor as they are, such as ``{channels = [24, 48, 96, 192]}``.
    """

    kind: Literal["timm"] = "timm"
    name: str
    image_px: int = Field(default=224, ge=16)
    pretrained: bool = False
    dropout: float = Field(default=0.0, ge=0, lt=1)
    drop_path: float = Field(default=0.0, ge=0, lt=1)
    arguments: dict[str, str | bool | int | float | list[int]] = Field(default_factory=dict)

    @property
    def side_step_px(self) -> int:
        """Sides of pictures are multiples of this: many of timm's networks take one side only."""
        return self.image_px


class TimmNet(ExpressionNet):
    """The network of :class:`TimmConfig`; timm makes its input layer grey, adding up the colours' weights.

    Args:
        config: its configuration.
        download: fetch pretrained weights if the configuration asks for them; off if our own weights
            are loaded next.

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
            self.network = timm.create_model(config.name, pretrained=config.pretrained and download, **wanted)
        except OSError as error:
            raise VisavisError(
                f"the pretrained weights of {config.name} are not on this computer and cannot be fetched: go "
                "online for the first run, or set model.pretrained=false to start from scratch"
            ) from error
        except (AssertionError, RuntimeError, TypeError, ValueError) as error:
            raise InputError(f"timm cannot make {config.name} as wanted: {error}") from error
        self.add_heads(self.network.head_hidden_size, config.dropout)

    def features(self, x: Tensor) -> Tensor:
        """(N, 1, S, S) -> (N, width), with the network's own pooling."""
        result: Tensor = self.network(x)
        return result


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
