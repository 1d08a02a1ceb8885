"""The parameters that can be set in VTube Studio: its own tracking inputs, and custom ones.

52 custom parameters hold one blendshape weight each. Their names are the blendshapes', with a prefix,
because VTube Studio has inputs of its own with names such as CheekPuff.
https://github.com/DenchiSoft/VTubeStudio#adding-new-tracking-parameters-custom-parameters
"""

from __future__ import annotations

from visavis.avatar.retarget import Parameter, Retargeting
from visavis.avatar.retarget_file import Rules
from visavis.outputs.vtube_studio.errors import VTubeStudioError
from visavis.outputs.vtube_studio.protocol import StudioSession

PRESET = "vtubestudio"
PREFIX = "Arkit"


def custom_name(blendshape: str) -> str:
    """The custom parameter of a blendshape, such as ArkitJawOpen for jawOpen."""
    return f"{PREFIX}{blendshape[0].upper()}{blendshape[1:]}"


def mapping_of(name: str = PRESET, *, custom: bool = False, mirror: bool | None = None) -> Retargeting:
    """What moves each parameter.

    Args:
        name: a retarget file, or a preset.
        custom: whether to move a custom parameter for each blendshape, too.
        mirror: whether the model moves as in a mirror; None: as the file says.

    Raises:
        InputError: see :meth:`~visavis.avatar.retarget.Retargeting.named`.
    """
    rules = Retargeting.named(name).rules
    by_parameter = dict(rules.by_parameter)
    if custom:
        blendshapes = Retargeting.preset("arkit").rules.by_parameter
        by_parameter |= {custom_name(blendshape): rule for blendshape, rule in blendshapes.items()}
    return Retargeting(Rules(by_parameter, rules.mirror if mirror is None else mirror))


def parameter_names(session: StudioSession) -> set[str]:
    """The names of all parameters that can be set, of VTube Studio itself and of all plugins."""
    answer = session.ask("InputParameterListRequest")
    found = [*_list(answer.get("defaultParameters")), *_list(answer.get("customParameters"))]
    return {str(one.get("name")) for one in found if isinstance(one, dict)}


def missing_parameters(mapping: Retargeting, there: set[str]) -> list[str]:
    """The parameters that a mapping moves, which are not there, and which no VTube Studio has by itself."""
    own = Retargeting.preset(PRESET).parameters
    return [name for name in mapping.parameters if name not in there and name not in own]


def create_parameter(session: StudioSession, name: str, parameter: Parameter) -> VTubeStudioError | None:
    """Create a custom parameter; returns the error if VTube Studio refuses."""
    data = {
        "parameterName": name,
        "explanation": f"Moved by visavis: {parameter.rest:g} at rest.",
        "min": parameter.low,
        "max": parameter.high,
        "defaultValue": parameter.rest,
    }
    try:
        session.ask("ParameterCreationRequest", data)
    except VTubeStudioError as error:
        return error
    return None


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
