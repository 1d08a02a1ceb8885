// Keys for streamers: expressions, calibration, mode, recording and the avatar's place.

/** What the keys do, for the help in the settings. */
export const HELP = "Keys: 1 to 8 show an expression, 0 your own again; C calibrates; M mirrors or listens; R records; the plus and minus keys zoom; the arrow keys move the avatar.";

/** @param actions {express(index or null), calibrate(), mode(), record(), zoom(factor), move(x, y)} */
export function bindKeys(target, actions) {
  target.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.("input, select, textarea, dialog")) return;
    const act = actionOf(event.key, actions);
    if (!act) return;
    event.preventDefault();
    act();
  });
}

function actionOf(key, actions) {
  if (/^[0-8]$/.test(key)) return () => actions.express(key === "0" ? null : Number(key) - 1);
  const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  if (moves[key]) return () => actions.move(...moves[key]);
  const named = { c: actions.calibrate, m: actions.mode, r: actions.record };
  if (named[key.toLowerCase()]) return named[key.toLowerCase()];
  const zooms = { "+": 1.1, "=": 1.1, "-": 1 / 1.1 };
  return zooms[key] ? () => actions.zoom(zooms[key]) : null;
}
