"""What one session tells its client to remember: a token with which the client goes on elsewhere."""

from __future__ import annotations

import secrets
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from visavis.avatar.profile import Profile
from visavis.base.clock import Clock
from visavis.reaction.style import Style
from visavis.serve.messages import FaceTokensMessage, ListenMessage, SettingsMessage
from visavis.serve.resume import ResumeKey

if TYPE_CHECKING:
    from visavis.serve.sessions import Session

# What the server learns is told after the first time, and what the client changes after the second.
EVERY_S, SOON_S = 3.0, 0.2


class Memory:
    """The state of one session, and its tokens. ``learned`` and ``recalled`` are used in the worker thread.

    Args:
        key: signs the tokens.
        clock: measures the time between tokens.

    Attributes:
        name: random name of the session, the same in all its tokens.
        wanted: whether the client wants tokens.
        lost: whether the client left without a word, and may come back.
        learned: what is known of the person so far.
        recalled: what an earlier session knew, until it is used.
    """

    def __init__(self, key: ResumeKey, clock: Clock) -> None:
        self.name = secrets.token_hex(8)
        self.wanted = self.lost = False
        self.learned: Profile | None = None
        self.recalled: Profile | None = None
        self._key, self._clock = key, clock
        self._told: dict[str, Any] | None = None
        self._due_s = clock.now_s()

    def change(self) -> None:
        """The client has changed something: a token of it follows soon."""
        self._due_s = min(self._due_s, self._clock.now_s() + SOON_S)

    def due(self) -> bool:
        """Whether a changed state should be told now."""
        return self.wanted and self._clock.now_s() >= self._due_s

    def token(self, session: Session) -> str | None:
        """A token of the session's present state; None if it is the same as in the last token, or not due."""
        if not self.due():
            return None
        self._due_s = self._clock.now_s() + EVERY_S
        state = self._state(session)
        if state == self._told:
            return None
        self._told = state
        return self._key.seal({"name": self.name, **state})

    def _state(self, session: Session) -> dict[str, Any]:
        settings, wish = session.settings, session.ear.wish
        own = session.calibrating.profile
        return {
            "settings": [settings.read_expressions, settings.mirror],
            "listen": asdict(wish) if wish.on else None,
            "face_tokens": session.shows_tokens,
            "express": session.expressed,
            "profile": None if own is None else _rounded(own),
            "learned": None if own is not None or self.learned is None else _rounded(self.learned),
        }

    def restore(self, session: Session, state: dict[str, Any]) -> None:
        """Bring a new session into a state of :meth:`ResumeKey.open`, without what this server lacks."""
        self.name = state["name"]
        session.configure(SettingsMessage(*state["settings"]))
        if state["listen"] is not None and session.ear.networks is not None:
            style = state["listen"]["style"]
            wish = {**state["listen"], "style": None if style is None else Style(**style)}
            session.ear.listen(ListenMessage(**wish))
        if state["face_tokens"] and session.vocabulary is not None:
            session.show_tokens(FaceTokensMessage(True))
        session.express(state["express"])
        if state["profile"] is not None:
            session.calibrating.resume(Profile(**state["profile"]))
        elif state["learned"] is not None:
            self.recalled = self.learned = Profile(**state["learned"])


def _rounded(profile: Profile) -> dict[str, dict[str, float]]:
    """The profile as JSON data; hundredths are finer than it is measured."""
    return {
        part: {name: round(value, 3) for name, value in values.items()}
        for part, values in asdict(profile).items()
    }
