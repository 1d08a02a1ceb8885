// The panel of expressions: one bar for each expression and two scales (pleasantness, arousal).

const SCALES = [
  ["valence", "unpleasant", "pleasant"],
  ["arousal", "calm", "excited"],
];

function element(tag, className, text = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

export class Bars {
  /** @param {HTMLElement} list for the bars @param {HTMLElement} scales for the two scales */
  constructor(list, scales) {
    this.list = list;
    this.rows = [];
    this.marks = SCALES.map(([name, low, high]) => {
      const row = element("div", "scale");
      const track = element("span", "scale-track");
      const mark = element("span", "scale-mark");
      track.append(mark);
      row.append(element("span", "scale-low", low), track, element("span", "scale-high", high));
      scales.append(row);
      return { name, mark };
    });
  }

  /** Make one row for each expression. */
  name(expressions) {
    this.list.replaceChildren();
    this.rows = expressions.map((name) => {
      const row = element("li", "bar");
      row.dataset.expression = name;
      const fill = element("span", "bar-fill");
      const track = element("span", "bar-track");
      const value = element("span", "bar-value", "–");
      track.append(fill);
      row.append(element("span", "bar-name", name), track, value);
      this.list.append(row);
      return { row, fill, value };
    });
  }

  show(expression) {
    const shares = expression?.expressions ?? [];
    const top = shares.length ? shares.indexOf(Math.max(...shares)) : -1;
    this.rows.forEach(({ row, fill, value }, index) => {
      fill.style.transform = `scaleX(${shares[index] ?? 0})`;
      value.textContent = shares.length ? `${Math.round(100 * shares[index])} %` : "–";
      row.classList.toggle("strongest", index === top);
    });
    for (const { name, mark } of this.marks) {
      mark.style.left = `${50 + 50 * (expression?.[name] ?? 0)}%`;
      mark.classList.toggle("off", !expression);
    }
  }
}
