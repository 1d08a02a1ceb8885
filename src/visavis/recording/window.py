"""A window that shows the avatar live, made with Python's own tkinter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from visavis.base.closing import Closing
from visavis.errors import DeviceError
from visavis.types import AvatarPose

if TYPE_CHECKING:
    from visavis.avatar.puppet import Drawing

SIDE_PX = 512


class AvatarWindow(Closing):
    """A window with the avatar's picture; use it inside ``with``, in the main thread only.

    Args:
        avatar: what is drawn; no other stream may use it.
        title: the window's title.
        side_px: side of the picture.

    Raises:
        DeviceError: there is no display, or this Python has no tkinter.
    """

    def __init__(self, avatar: Drawing, title: str, side_px: int = SIDE_PX) -> None:
        self._avatar, self._side_px = avatar, side_px
        try:
            import tkinter
        except ImportError as error:
            raise DeviceError(
                "a window needs tkinter, which this Python lacks; on Debian install python3-tk"
            ) from error
        try:
            self._root = tkinter.Tk()
        except tkinter.TclError as error:
            raise DeviceError(f"no window can be opened: {error}; leave out --window") from error
        self._root.title(title)
        self._root.resizable(False, False)
        self._root.protocol("WM_DELETE_WINDOW", self._close)
        self._picture = tkinter.PhotoImage(width=side_px, height=side_px)
        tkinter.Label(self._root, image=self._picture, borderwidth=0).pack()
        self.open = True

    def show(self, pose: AvatarPose) -> None:
        """Draw a pose.

        Raises:
            KeyboardInterrupt: the person closed the window, which ends a run as Ctrl-C does.
        """
        image = self._avatar.draw(pose, self._side_px)
        head = f"P6 {self._side_px} {self._side_px} 255 ".encode()
        self._picture.configure(data=head + image.tobytes(), format="PPM")
        self._root.update()
        if not self.open:
            raise KeyboardInterrupt

    def _close(self) -> None:
        self.open = False

    def close(self) -> None:
        """Close the window."""
        self._root.destroy()
