"""The permission to connect: VTube Studio asks the person once, and then knows visavis by a token.

https://github.com/DenchiSoft/VTubeStudio#authentication
"""

from __future__ import annotations

from math import inf

from visavis.errors import InputError, VisavisError
from visavis.outputs.sender import NotReadyError
from visavis.outputs.vtube_studio.errors import DENIED, VTubeStudioError
from visavis.outputs.vtube_studio.protocol import Data, StudioSession
from visavis.outputs.vtube_studio.tokens import TokenStore, is_token

# Both must have 3 to 32 characters. A token belongs to this pair.
PLUGIN = {"pluginName": "visavis", "pluginDeveloper": "visavis"}
# An answer within this time is no person's click: VTube Studio refuses, or knows visavis.
AT_ONCE_S = 0.3
CLICK = "VTube Studio asks whether visavis may connect: click Allow there"


class Login:
    """Signs in at each session. A token that is refused is asked for anew once.

    Args:
        tokens: where tokens are kept.
        host: whose token is used.

    Attributes:
        done: whether the session is signed in.
        notice: what a person should know; empty if all is well.
    """

    def __init__(self, tokens: TokenStore, host: str) -> None:
        self.done = False
        self.notice = ""
        self._tokens = tokens
        self._host = host
        # After a No, the person is not asked again and again.
        self._refused: VisavisError | None = None
        self._answer: Data | VTubeStudioError | None = None

    def begin(self, session: StudioSession) -> None:
        """Sign in with the known token, or let VTube Studio ask the person.

        Raises:
            VisavisError: the person said No before, VTube Studio refuses at once, or the session is lost.
        """
        if self._refused is not None:
            raise self._refused
        self.done, self._answer = False, None
        token = self._tokens.get(self._host)
        if token is not None and self._sign_in(session, token):
            return
        session.post("AuthenticationTokenRequest", PLUGIN, self._answered, inf)
        session.pump(AT_ONCE_S)
        if self._answer is not None:
            self.step(session)

    def step(self, session: StudioSession) -> None:
        """Go on after the person's answer; call it until :attr:`done`.

        Raises:
            NotReadyError: the person has not answered yet.
            VisavisError: the person said No, or the new token is refused, too.
        """
        answer, self._answer = self._answer, None
        if answer is None:
            raise NotReadyError(CLICK)
        if isinstance(answer, VTubeStudioError):
            if answer.number == DENIED:
                self._refused = answer
            raise answer
        token = answer.get("authenticationToken")
        if not isinstance(token, str) or not is_token(token) or not self._sign_in(session, token):
            self._refused = InputError(
                "VTube Studio refuses its own token; remove visavis under plugins in its settings, "
                "and start visavis again"
            )
            raise self._refused
        self._keep(token)

    def _answered(self, data: Data, error: VTubeStudioError | None) -> None:
        self._answer = error or data

    def _sign_in(self, session: StudioSession, token: str) -> bool:
        try:
            answer = session.ask("AuthenticationRequest", {**PLUGIN, "authenticationToken": token})
            self.done = answer.get("authenticated") is True
        except VTubeStudioError as error:
            if error.number != DENIED:
                raise
        if not self.done:
            self._keep(None)
        return self.done

    def _keep(self, token: str | None) -> None:
        try:
            self._tokens.keep(self._host, token)
        except InputError as error:
            self.notice = f"the permission of VTube Studio is not remembered: {error}"
