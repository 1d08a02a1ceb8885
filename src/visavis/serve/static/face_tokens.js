// The panel of face tokens: the stream of tokens as chips, and the face of the chosen token.

import { Puppet } from "./puppet.js";
import { TokenLog } from "./token_log.js";

const MOST_CHIPS = 240;
const MOST_MEANINGS = 200;
const ZOOM = 1.6; // the avatar's head fills the small canvas
const CUT = 0.16;
const RUNNING = "tokens of the tracked face, the newest on the right; point at a token to see its face";
const HELD = "paused while you look; arrow keys move between tokens, Escape continues";

const element = (tag, className, text = "") =>
  Object.assign(document.createElement(tag), { className, textContent: text });

async function fetchMeaning(path) {
  const answer = await fetch(path);
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.detail);
  return body;
}

export class FaceTokens {
  /**
   * @param {HTMLElement} card holds everything
   * @param {Avatar} avatar lends its drawing
   * @param {() => boolean} mirrors whether the avatar does
   */
  constructor(card, avatar, mirrors) {
    const find = (name) => card.querySelector(`#token-${name}`);
    this.card = card;
    this.avatar = avatar;
    this.mirrors = mirrors;
    this.caption = find("caption");
    this.figures = find("figures");
    this.strip = find("strip");
    this.canvas = find("face");
    this.title = find("title");
    this.shapes = find("shapes");
    this.log = new TokenLog();
    this.meanings = new Map(); // name -> promise
    this.offered = false;
    this.clear();
    this.connect();
  }

  /** The server's offer of tokens; disabled switches say why. */
  offer({ vocabulary, problem }, switches) {
    this.offered = vocabulary !== null;
    this.meanings.clear(); // The server may have another tokenizer than before.
    for (const control of switches) {
      control.disabled = !this.offered;
      control.closest("label").title = control.title = problem ?? "";
    }
  }

  get on() {
    return !this.card.hidden;
  }

  show(on) {
    if (this.on !== on) this.clear();
    this.card.hidden = !on;
    if (on && this.meaning) this.draw();
  }

  clear() {
    this.log.clear();
    this.strip.replaceChildren();
    this.shown = this.log.made; // number of the run that the newest chip shows
    this.held = false;
    this.meaning = null;
    this.select(null);
    this.showHeld();
  }

  /** Take one moment's token. */
  add(timeS, { face_token: token, faces }) {
    if (!this.on || (!token && faces.length)) return; // requested, but not yet received
    this.log.add(timeS, token);
    if (!this.held) this.catchUp();
  }

  showFigures(nowS) {
    if (!this.on) return;
    const changes = this.log.changesPerS(nowS).toFixed(1);
    this.figures.textContent = `${changes} changes a second · ${this.log.distinct(nowS)}different tokens in the last minute`;
  }

  // -------------------------------------------------------------- the stream

  catchUp() {
    for (const run of this.log.from(this.shown).slice(-MOST_CHIPS)) {
      const newest = this.strip.lastElementChild;
      if (newest?.run === run) this.write(newest, run);
      else this.append(run);
      this.makeRoom(); // A growing count can make a line too long, too.
      this.shown = run.number;
    }
  }

  append(run) {
    const chip = element("span", run.token ? "face-token" : "token-gap");
    chip.run = run;
    if (run.token) {
      chip.id = `token-${run.number}`;
      chip.setAttribute("role", "option");
      chip.style.setProperty("--hue", run.token.hue_deg);
      chip.style.setProperty("--strength", run.token.strength);
      chip.append(element("b", "token-name", run.name), element("span", "token-count"));
    }
    this.write(chip, run);
    this.strip.append(chip);
  }

  write(chip, run) {
    if (run.token) chip.lastElementChild.textContent = run.count > 1 ? `×${run.count}` : "";
    else chip.title = `no face in ${run.count} frame${run.count > 1 ? "s" : ""}`;
  }

  /** Remove whole lines, so that the other tokens keep their places. */
  makeRoom() {
    while (this.strip.scrollHeight > this.strip.clientHeight) {
      const chips = [...this.strip.children];
      const line = chips.filter((chip) => chip.offsetTop === chips[0].offsetTop);
      if (line.length === chips.length) break; // one line that does not fit
      line.forEach((chip) => chip.remove());
    }
    while (this.strip.childElementCount > MOST_CHIPS) this.strip.firstElementChild.remove();
  }

  // -------------------------------------------------------------- pointing

  connect() {
    const { strip } = this;
    strip.onpointerenter = () => this.hold(true);
    strip.onpointerleave = () => this.hold(document.activeElement === strip);
    strip.onfocus = () => {
      this.hold(true);
      if (!this.chip?.isConnected) this.select([...strip.querySelectorAll(".face-token")].at(-1));
    };
    strip.onblur = () => this.hold(strip.matches(":hover"));
    strip.onpointerover = ({ target }) => {
      const chip = target.closest(".face-token");
      if (chip) this.select(chip);
    };
    strip.onkeydown = (event) => this.press(event);
  }

  press(event) {
    const tokens = [...this.strip.querySelectorAll(".face-token")];
    const at = tokens.indexOf(this.chip);
    const next = { ArrowLeft: Math.max(0, at - 1), ArrowRight: at + 1, Home: 0, End: tokens.length - 1 }[event.key];
    if (event.key === "Escape") this.strip.blur();
    if (next === undefined) return;
    event.preventDefault();
    this.select(tokens[Math.min(next, tokens.length - 1)]);
  }

  hold(held) {
    this.held = held;
    this.showHeld();
    if (!held) this.catchUp();
  }

  showHeld() {
    this.card.classList.toggle("held", this.held);
    this.caption.textContent = this.held ? HELD : RUNNING;
  }

  select(chip) {
    this.chip?.removeAttribute("aria-selected");
    this.chip = chip ?? null;
    if (chip) {
      chip.setAttribute("aria-selected", "true");
      this.strip.setAttribute("aria-activedescendant", chip.id);
      this.explain(chip.run);
      return;
    }
    this.strip.removeAttribute("aria-activedescendant");
    this.card.classList.remove("explained");
    this.title.textContent = "";
    this.shapes.replaceChildren();
  }

  // -------------------------------------------------------------- the meaning of a token

  async explain({ name, token }) {
    this.title.textContent = name;
    try {
      const meaning = await this.meaningOf(name, token.tokens);
      if (this.title.textContent !== name) return; // another token was chosen meanwhile
      this.meaning = meaning;
      this.card.classList.add("explained");
      this.draw();
      this.list(meaning.blendshapes);
    } catch (error) {
      if (this.title.textContent === name) this.shapes.replaceChildren(element("li", "fine", error.message));
    }
  }

  meaningOf(name, tokens) {
    let meaning = this.meanings.get(name);
    if (meaning) return meaning;
    meaning = fetchMeaning(`face_tokens/${tokens.join(".")}`);
    meaning.catch(() => this.meanings.delete(name)); // It is requested again the next time.
    this.meanings.set(name, meaning);
    if (this.meanings.size > MOST_MEANINGS) this.meanings.delete(this.meanings.keys().next().value);
    return meaning;
  }

  draw() {
    if (!this.avatar.puppet) return;
    this.puppet ??= Object.assign(new Puppet(this.avatar.puppet.rig), { backdrop: false });
    this.avatar.fit(this.canvas, 1);
    const { width, height } = this.canvas;
    const context = this.canvas.getContext("2d");
    this.puppet.reset();
    this.puppet.update(this.mirrors() ? this.meaning.mirrored_pose : this.meaning.pose, 0);
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, width, height);
    context.setTransform(ZOOM, 0, 0, ZOOM, (width * (1 - ZOOM)) / 2, -CUT * ZOOM * height);
    this.puppet.draw(context, width, height);
  }

  list(blendshapes) {
    if (!blendshapes.length) this.shapes.replaceChildren(element("li", "fine", "a neutral face"));
    else this.shapes.replaceChildren(...blendshapes.map(({ name, weight }) => this.shape(name, weight)));
  }

  shape(name, weight) {
    const row = element("li", "token-shape");
    const track = element("span", "bar-track");
    const fill = element("span", "bar-fill");
    fill.style.transform = `scaleX(${weight})`;
    track.append(fill);
    row.append(element("span", "", name), track, element("span", "bar-value", weight.toFixed(2).replace(/^0/, "")));
    return row;
  }
}
