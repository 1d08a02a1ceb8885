// The list of outputs: for each a light, a switch and one line on what is wrong.

export class Outputs {
  /** @param {HTMLElement} list the <ul>; its section is hidden while there is no output. */
  constructor(list, link) {
    this.list = list;
    this.link = link;
    this.rows = new Map();
  }

  /** Show the lights of a moment; null means that they are as before. */
  show(lights) {
    if (!lights) return;
    this.list.closest("section").hidden = !lights.length;
    this.list.replaceChildren(...lights.map((light) => this.row(light)));
  }

  row({ address, on, light, message }) {
    const row = this.rows.get(address) ?? this.make(address);
    row.dataset.light = on ? light : "off";
    row.querySelector("input").checked = on;
    row.querySelector(".output-says").textContent = on ? message || light : "off";
    return row;
  }

  make(address) {
    const row = document.createElement("li");
    row.innerHTML = '<label class="switch"><input type="checkbox" role="switch"><span class="output-dot" aria-hidden="true"></span><b></b></label> <span class="fine output-says" role="status"></span>';
    row.querySelector("b").textContent = address;
    row.querySelector("input").onchange = ({ target }) => this.link.sendOutput(address, target.checked);
    this.rows.set(address, row);
    return row;
  }
}
