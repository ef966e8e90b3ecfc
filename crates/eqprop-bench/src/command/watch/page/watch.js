"use strict";
// The page shows values that the program computed: it draws, and computes nothing of a network.

const $ = (id) => document.getElementById(id);
const still = matchMedia("(prefers-reduced-motion: reduce)");
const dark = matchMedia("(prefers-color-scheme: dark)");

const view = {
  network: null,    // layers, classes and settings
  pixels: null,     // the input
  course: null,     // the answer of the program: "free" steps, and "nudged" ones if a class is chosen
  steps: [],        // both, one after the other
  at: 0,            // the step that is shown; between two steps while it plays
  playing: false,
  target: null,
  beta: 0.5,
  from: 0,          // the first example that is shown
  frames: 0,        // drawn so far
  asked: 0,         // relaxations asked for so far: only the answer to the last one is shown
  epochs: [],       // what the training measured
  filters: [],      // weights behind the input
  trained: "",      // what the training measured when it was last shown
};
window.eqprop = view;

async function ask(path, options) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Error("the program has ended: start `eqprop watch` again");
  }
  const value = await answer.json();
  if (!answer.ok) throw new Error(value.error);
  return value;
}

function say(error) {
  $("message").hidden = !error;
  $("message").textContent = error ? error.message : "";
}

async function attempt(work) {
  try {
    await work();
    say(null);
  } catch (error) {
    say(error);
  }
}

// ------------------------------------------------------------------------------------------ colors

// From `low` to `high`, dark to bright.
function bright(value, low, high) {
  const x = Math.max(0, Math.min(1, (value - low) / (high - low || 1)));
  return [255 * Math.min(1, 1.6 * x * x + 0.15 * x), 255 * (0.9 * x + 0.05), 255 * Math.min(1, 0.25 + 0.75 * Math.sqrt(x)) * (0.35 + 0.65 * x)];
}

// Blue below 0, red above, the ground of the page at 0.
function signed(value, largest) {
  const x = Math.max(-1, Math.min(1, value / (largest || 1)));
  const ground = dark.matches ? [29, 32, 37] : [250, 250, 250];
  const end = x < 0 ? [30, 110, 230] : [225, 60, 40];
  const size = Math.sqrt(Math.abs(x));
  return ground.map((from, i) => from + (end[i] - from) * size);
}

function paint(canvas, width, height, color) {
  if (canvas.width !== width || canvas.height !== height) { canvas.width = width; canvas.height = height; }
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  for (let i = 0; i < width * height; i++) {
    const [r, g, b] = color(i);
    image.data.set([r, g, b, 255], 4 * i);
  }
  context.putImageData(image, 0, 0);
}

function paintInput(canvas, pixels) {
  const [channels, height, width] = view.network.input;
  const n = height * width;
  // A large image has more numbers than a function takes arguments.
  const low = pixels.reduce((least, value) => Math.min(least, value), 0);
  const high = pixels.reduce((most, value) => Math.max(most, value), 1e-6);
  const gray = (value) => 255 * (value - low) / (high - low);
  paint(canvas, width, height, (i) => {
    if (channels === 3) return [0, 1, 2].map((c) => gray(pixels[c * n + i]));
    const value = gray(pixels[i]);
    return [value, value, value];
  });
}

function paintSigned(canvas, width, height, values) {
  const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  paint(canvas, width, height, (i) => signed(values[i], largest));
}

// ------------------------------------------------------------------------------------------ layers

// How the units of a layer lie on the page: maps beside each other, others in a rectangle.
function arrangement(layer) {
  if (layer.shape && layer.shape[1] * layer.shape[2] > 1) {
    const [, height, width] = layer.shape;
    const maps = Math.max(1, Math.floor(layer.shown / (height * width)));
    const columns = Math.min(maps, Math.max(1, Math.floor(96 / (width + 1))));
    const rows = Math.ceil(maps / columns);
    const place = (x, y) => {
      const [column, row] = [Math.floor(x / (width + 1)), Math.floor(y / (height + 1))];
      const [u, v] = [x % (width + 1), y % (height + 1)];
      const map = row * columns + column;
      return u === width || v === height || map >= maps ? -1 : (map * height + v) * width + u;
    };
    return { width: columns * (width + 1) - 1, height: rows * (height + 1) - 1, place };
  }
  const n = layer.shown;
  // A full rectangle where there is one that is neither a square nor a strip.
  const wide = Math.ceil(Math.sqrt(2 * n));
  const full = [...Array(wide).keys()].map((more) => wide + more).find((width) => n % width === 0);
  const width = n <= 32 ? n : full ?? wide;
  return { width, height: Math.ceil(n / width), place: (x, y) => (y * width + x < n ? y * width + x : -1) };
}

function buildLayers() {
  $("layers").replaceChildren(...view.network.layers.map((layer, index) => {
    const part = document.createElement("div");
    part.className = "layer";
    const name = document.createElement("div");
    name.className = "name";
    const isOutput = index + 1 === view.network.layers.length && !view.network.has_readout;
    const shape = layer.shape ? layer.shape.join("×") : layer.units;
    const units = layer.is_of_phases ? `cosines and then sines of ${layer.units / 2} oscillators` : `${shape} units`;
    const rest = layer.shown < layer.units ? `, the first ${layer.shown}` : "";
    name.textContent = `${isOutput ? "output" : `hidden layer ${index + 1}`}: ${units}${rest}`;
    const canvas = document.createElement("canvas");
    canvas.className = "pixels";
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `States of ${name.textContent}`);
    part.append(name, canvas);
    Object.assign(layer, arrangement(layer), { canvas });
    // Wide layers fill the page, small ones have units that can be told apart.
    canvas.style.maxWidth = `${Math.max(Math.min(layer.width * 28, 560), 160)}px`;
    return part;
  }));
}

// Interpolates between two steps while the relaxation is played.
function between(first, second, share) {
  return share === 0 ? first : first.map((value, i) => value + (second[i] - value) * share);
}

function stateAt(at) {
  const below = Math.floor(at), share = at - below;
  const first = view.steps[below], second = view.steps[Math.min(below + 1, view.steps.length - 1)];
  return {
    layers: first.layers.map((layer, k) => between(layer, second.layers[k], share)),
    scores: between(first.scores, second.scores, share),
  };
}

function ranges() {
  const free = view.course.free[view.course.free.length - 1].layers;
  view.ranges = view.network.layers.map((_, k) => {
    let low = 0, high = 1e-6, far = 1e-12;
    for (const step of view.steps) {
      step.layers[k].forEach((value, i) => {
        low = Math.min(low, value);
        high = Math.max(high, value);
        if (step.nudged) far = Math.max(far, Math.abs(value - free[k][i]));
      });
    }
    return { low, high, far };
  });
}

function draw() {
  if (!view.course) return;
  const { layers: state, scores } = stateAt(view.at);
  const step = Math.round(view.at);
  const isDifference = $("difference").checked;
  const free = view.course.free[view.course.free.length - 1].layers;
  view.network.layers.forEach((layer, k) => {
    const { low, high, far } = view.ranges[k];
    const ground = dark.matches ? [29, 32, 37] : [255, 255, 255];
    paint(layer.canvas, layer.width, layer.height, (i) => {
      const unit = layer.place(i % layer.width, Math.floor(i / layer.width));
      if (unit < 0) return ground;
      return isDifference ? signed(state[k][unit] - free[k][unit], far) : bright(state[k][unit], low, high);
    });
  });
  $("step").value = step;
  const shown = view.steps[step];
  // Of long phases some steps are left out.
  const phase = shown.nudged ? "nudged" : "free";
  $("step-text").textContent = `${phase} ${shown.step} of ${view.course[phase].at(-1).step}`;
  $("energy-text").textContent = shown.energy === null ? "(none)" : shown.energy.toPrecision(5);
  $("residual-text").textContent = shown.residual === null ? "" : shown.residual.toExponential(1);
  chart($("energy"), view.steps.map((one) => one.energy), false);
  chart($("residual"), view.steps.map((one) => one.residual), true);
  // The units themselves, which a nudge moves, where each stands for a class.
  const units = state[state.length - 1], { is_of_phases } = view.network.layers[state.length - 1];
  const isUnits = !view.network.has_readout && !is_of_phases && units.length === scores.length;
  output(isUnits ? units : scores);
  view.frames++;
}

function output(values) {
  const low = Math.min(0, ...values), high = Math.max(1, ...values);
  values.forEach((_, i) => {
    const row = $("classes").children[i];
    row.querySelector("i").style.width = `${100 * (values[i] - low) / (high - low)}%`;
    row.querySelector(".value").textContent = values[i].toFixed(3);
  });
}

// ------------------------------------------------------------------------------------------ charts

function color(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function axes(canvas) {
  const ratio = Math.max(1, Math.min(3, devicePixelRatio || 1));
  const width = canvas.clientWidth || 440, height = Math.round(width * 0.36);
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}

function line(context, points, stroke) {
  context.strokeStyle = stroke;
  context.lineWidth = 2;
  context.beginPath();
  let isDrawing = false;
  for (const [x, y] of points) {
    if (!Number.isFinite(y)) { isDrawing = false; continue; }
    if (isDrawing) context.lineTo(x, y); else context.moveTo(x, y);
    isDrawing = true;
  }
  context.stroke();
}

function scale(values, isLog) {
  const of = (value) => (value === null || (isLog && value <= 0) ? NaN : isLog ? Math.log10(value) : value);
  const finite = values.map(of).filter(Number.isFinite);
  const low = Math.min(...finite), high = Math.max(...finite);
  return { of, low, high, any: finite.length > 0 };
}

function chart(canvas, values, isLog) {
  const { context, width, height } = axes(canvas);
  const { of, low, high, any } = scale(values, isLog);
  context.font = "12px system-ui, sans-serif";
  context.fillStyle = color("--faint");
  if (!any) { context.fillText("none", 8, 18); return; }
  const left = 58, right = 8, top = 10, bottom = 20;
  const x = (step) => left + (width - left - right) * step / Math.max(1, values.length - 1);
  const y = (value) => top + (height - top - bottom) * (1 - (of(value) - low) / (high - low || 1));
  const text = (value) => (isLog ? (10 ** value).toExponential(0) : value.toPrecision(4));
  context.fillText(text(high), 4, top + 8);
  if (high > low) context.fillText(text(low), 4, height - bottom);
  context.fillText("0", left, height - 5);
  context.textAlign = "right";
  context.fillText(`step ${values.length - 1}`, width - right, height - 5);
  context.textAlign = "left";
  const nFree = view.course.free.length - 1;
  if (values.length - 1 > nFree) {
    context.strokeStyle = color("--faint");
    context.setLineDash([4, 4]);
    context.beginPath();
    context.moveTo(x(nFree), top);
    context.lineTo(x(nFree), height - bottom);
    context.stroke();
    context.setLineDash([]);
    context.fillText("nudged", Math.min(x(nFree) + 4, width - 50), top + 8);
  }
  line(context, values.map((value, step) => [x(step), y(value)]), color("--accent"));
  const step = Math.round(view.at);
  if (Number.isFinite(y(values[step]))) {
    context.fillStyle = color("--text");
    context.beginPath();
    context.arc(x(step), y(values[step]), 4, 0, 2 * Math.PI);
    context.fill();
  }
}

function curves(epochs) {
  const { context, width, height } = axes($("curves"));
  const test = epochs.map((epoch) => epoch.test_error ?? epoch.validation_error ?? null);
  const train = epochs.map((epoch) => epoch.train_error ?? null);
  const high = Math.max(0.01, ...test, ...train), last = epochs.length - 1;
  const left = 48, right = 8, top = 10, bottom = 20;
  const x = (i) => left + (width - left - right) * i / Math.max(1, last);
  const y = (value) => (value === null ? NaN : top + (height - top - bottom) * (1 - value / high));
  context.font = "12px system-ui, sans-serif";
  context.fillStyle = color("--faint");
  context.fillText(`${(100 * high).toFixed(1)} %`, 4, top + 8);
  context.fillText("0 %", 4, height - bottom);
  context.fillText(`epoch ${epochs[0].epoch}`, left, height - 5);
  context.textAlign = "right";
  context.fillText(`${epochs[last].epoch}`, width - right, height - 5);
  context.textAlign = "left";
  for (const [values, name] of [[train, "--train"], [test, "--test"]]) {
    line(context, values.map((value, i) => [x(i), y(value)]), color(name));
    // A line through one point is none.
    context.fillStyle = color(name);
    context.beginPath();
    context.arc(x(last), y(values[last]), 3, 0, 2 * Math.PI);
    context.fill();
  }
}

// ------------------------------------------------------------------------------------------ motion

let before = 0, frame = 0;
function tick(now) {
  if (!view.playing) return;
  // The time of a frame may lie before the moment that asked for it.
  const seconds = Math.max(0, Math.min(0.1, (now - before) / 1000));
  before = now;
  view.at = Math.min(view.steps.length - 1, view.at + seconds * Number($("speed").value));
  if (view.at === view.steps.length - 1) stop();
  draw();
  if (view.playing) frame = requestAnimationFrame(tick);
}

function play(from) {
  if (!view.course) return;
  stop();
  view.at = from;
  if (still.matches) {
    view.at = view.steps.length - 1;
    draw();
    return;
  }
  view.playing = true;
  $("play").textContent = "Pause";
  before = performance.now();
  frame = requestAnimationFrame(tick);
}

function stop() {
  cancelAnimationFrame(frame);
  view.playing = false;
  $("play").textContent = "Play";
}

// ------------------------------------------------------------------------------------------ asking

// Relaxes the input, and plays the whole course, or from the end of the free phase.
async function relax(isNudgeNew) {
  if (!view.pixels) return;
  const mine = ++view.asked;
  const question = { pixels: view.pixels };
  if (view.target !== null && view.beta !== 0) Object.assign(question, { target: view.target, beta: view.beta });
  const course = await ask("api/relaxation", {
    method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(question),
  });
  if (mine !== view.asked) return;
  view.course = course;
  const nudged = (course.nudged || []).slice(1).map((step) => ({ ...step, nudged: true }));
  view.steps = [...course.free, ...nudged];
  $("step").max = view.steps.length - 1;
  ranges();
  const { scores } = course.free[course.free.length - 1];
  const best = scores.indexOf(Math.max(...scores));
  const truth = view.truth === undefined ? "" : view.truth === best ? ", which is right" : `; it is ${view.network.classes[view.truth]}`;
  $("verdict").textContent = `Predicts ${view.network.classes[best]}${truth}`;
  [...$("classes").children].forEach((row, i) => row.setAttribute("aria-pressed", String(i === view.target)));
  pairs($("contrast"), course.contrast || []);
  $("contrast-part").hidden = !(course.contrast || []).length;
  play(isNudgeNew ? course.free.length - 1 : 0);
}

function pairs(place, units) {
  place.replaceChildren(...units.map(({ unit, size: [height, width], weights, change }) => {
    const part = document.createElement("div");
    part.className = "pair";
    for (const values of [weights, change]) {
      if (!values) continue;
      const canvas = document.createElement("canvas");
      canvas.className = "pixels";
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", `${values === weights ? "Weights" : "Change"} of unit ${unit}`);
      paintSigned(canvas, width, height, values);
      part.append(canvas);
    }
    return part;
  }));
}

function tile(example, text, choose) {
  const button = document.createElement("button");
  button.type = "button";
  const canvas = document.createElement("canvas");
  canvas.className = "pixels";
  // The button says what it is.
  canvas.setAttribute("aria-hidden", "true");
  paintInput(canvas, example.pixels);
  button.append(canvas, text);
  button.setAttribute("aria-label", `Example ${example.index}: ${text}`);
  button.addEventListener("click", () => attempt(async () => {
    document.querySelectorAll('.tiles [aria-pressed="true"]').forEach((other) => other.setAttribute("aria-pressed", "false"));
    button.setAttribute("aria-pressed", "true");
    choose();
    await relax(false);
  }));
  return button;
}

function take(pixels, truth, text) {
  view.pixels = pixels;
  view.truth = truth;
  paintInput($("seen"), pixels);
  $("seen-text").textContent = text;
}

async function examples(from) {
  const found = await ask(`api/examples?from=${from}`);
  view.from = from;
  const { classes, n_examples } = view.network;
  $("examples").replaceChildren(...found.map((example) => tile(example, classes[example.class], () => {
    clearDrawing();
    take(example.pixels, example.class, `test example ${example.index}`);
  })));
  $("fewer").disabled = from === 0;
  $("more").disabled = from + found.length >= n_examples;
  $("examples-text").textContent = n_examples ? `${from + 1} to ${from + found.length} of ${n_examples}` : "The data are not here.";
}

async function training() {
  const found = await ask("api/training");
  const { epochs, n_epochs, mistakes } = found;
  const seen = JSON.stringify([epochs.length, found.written]);
  if (seen === view.trained) return;
  const isNew = view.trained !== "";
  view.trained = seen;
  const last = epochs[epochs.length - 1];
  $("training-text").textContent = last
    ? `Epoch ${last.epoch} of ${n_epochs}. ${last.epoch < n_epochs ? "The page follows while it trains." : ""}`
    : "No measurements of a training are here.";
  $("curves-part").hidden = !last;
  Object.assign(view, { epochs, filters: found.filters });
  if (last) curves(epochs);
  pairs($("filters"), found.filters);
  $("wrong-text").textContent = mistakes ? `${mistakes.n_wrong} of the first ${mistakes.n_judged} test examples.` : "";
  const { classes } = view.network;
  $("wrong").replaceChildren(...(mistakes ? mistakes.shown : []).map((example) => tile(
    example, `${classes[example.class]} as ${classes[example.found]}`,
    () => { clearDrawing(); take(example.pixels, example.class, `test example ${example.index}`); },
  )));
  if (isNew && !view.playing) await relax(true);
}

// ----------------------------------------------------------------------------------------- drawing

let waiting = 0;
const pen = { x: 140, y: 140, isDown: false, isEmpty: true };

function clearDrawing() {
  clearTimeout(waiting);
  view.asked++;
  const context = $("draw").getContext("2d");
  // On the ground that most images of the network have.
  context.fillStyle = view.network.is_bright ? "#fff" : "#000";
  context.fillRect(0, 0, 280, 280);
  pen.isEmpty = true;
}

function stroke(x, y) {
  const context = $("draw").getContext("2d");
  context.strokeStyle = view.network.is_bright ? "#000" : "#fff";
  context.lineWidth = 24;
  context.lineCap = "round";
  context.beginPath();
  context.moveTo(pen.x, pen.y);
  context.lineTo(x, y);
  context.stroke();
  Object.assign(pen, { x, y, isEmpty: false });
}

function drawn() {
  clearTimeout(waiting);
  waiting = setTimeout(() => attempt(async () => {
    if (pen.isEmpty) return;
    const mine = ++view.asked;
    const png = await new Promise((done) => $("draw").toBlob(done, "image/png"));
    const { pixels } = await ask("api/drawing", { method: "POST", headers: { "content-type": "image/png" }, body: png });
    // An example may have been chosen meanwhile.
    if (mine !== view.asked) return;
    document.querySelectorAll('.tiles [aria-pressed="true"]').forEach((other) => other.setAttribute("aria-pressed", "false"));
    take(pixels, undefined, "what the network sees of the drawing");
    await relax(false);
  }), 150);
}

function listenToPen() {
  const canvas = $("draw");
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [(event.clientX - box.left) * 280 / box.width, (event.clientY - box.top) * 280 / box.height];
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    [pen.x, pen.y] = place(event);
    pen.isDown = true;
    stroke(pen.x, pen.y);
  });
  canvas.addEventListener("pointermove", (event) => { if (pen.isDown) stroke(...place(event)); });
  for (const end of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(end, () => { if (pen.isDown) { pen.isDown = false; drawn(); } });
  }
  const held = new Set();
  canvas.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: [-8, 0], ArrowRight: [8, 0], ArrowUp: [0, -8], ArrowDown: [0, 8] }[event.key];
    if (event.key === " ") { held.add(" "); stroke(pen.x, pen.y); drawn(); event.preventDefault(); }
    if (!by) return;
    event.preventDefault();
    const [x, y] = [pen.x + by[0], pen.y + by[1]].map((value) => Math.max(0, Math.min(280, value)));
    if (held.has(" ") || event.shiftKey) { stroke(x, y); drawn(); } else Object.assign(pen, { x, y });
  });
  canvas.addEventListener("keyup", (event) => held.delete(event.key));
  $("clear").addEventListener("click", clearDrawing);
}

// ------------------------------------------------------------------------------------------- begin

function buildClasses() {
  $("classes").replaceChildren(...view.network.classes.map((name, index) => {
    const row = document.createElement("button");
    row.type = "button";
    row.className = "class";
    row.setAttribute("aria-pressed", "false");
    const label = document.createElement("span");
    label.textContent = name;
    const bar = document.createElement("span");
    bar.className = "bar";
    bar.append(document.createElement("i"));
    const value = document.createElement("span");
    value.className = "value";
    row.append(label, bar, value);
    row.addEventListener("click", () => attempt(async () => {
      view.target = index;
      $("difference").checked = true;
      await relax(true);
    }));
    return row;
  }));
}

async function begin() {
  view.network = await ask("api/network");
  const { run, network, data, free_steps, nudged_steps, is_drawn, n_shown, beta } = view.network;
  $("title").textContent = `${network} on ${data}`;
  document.title = `${network}: a network that relaxes`;
  $("about").textContent = `${run}. A free phase of ${free_steps} steps, a nudged one of ${nudged_steps}.`;
  $("draw-part").hidden = !is_drawn;
  const most = Math.max(0.01, 2 * Math.abs(beta));
  Object.assign($("beta"), { min: -most, max: most, step: most / 100, value: beta });
  view.beta = beta;
  $("beta-text").textContent = Number(beta).toPrecision(2);
  buildLayers();
  buildClasses();
  clearDrawing();
  listenToPen();
  $("play").addEventListener("click", () => {
    if (view.playing) stop(); else play(view.at >= view.steps.length - 1 ? 0 : view.at);
  });
  $("step").addEventListener("input", () => { stop(); view.at = Number($("step").value); draw(); });
  $("difference").addEventListener("change", draw);
  $("beta").addEventListener("input", () => {
    view.beta = Number($("beta").value);
    $("beta-text").textContent = view.beta.toPrecision(2);
  });
  $("beta").addEventListener("change", () => attempt(() => relax(true)));
  $("free").addEventListener("click", () => attempt(async () => {
    view.target = null;
    $("difference").checked = false;
    await relax(false);
  }));
  $("fewer").addEventListener("click", () => attempt(() => examples(Math.max(0, view.from - n_shown))));
  $("more").addEventListener("click", () => attempt(() => examples(view.from + n_shown)));
  const again = () => {
    draw();
    if (view.epochs.length) curves(view.epochs);
  };
  addEventListener("resize", again);
  dark.addEventListener("change", () => {
    again();
    pairs($("filters"), view.filters);
    pairs($("contrast"), view.course?.contrast || []);
  });
  await examples(0);
  const first = $("examples").firstElementChild;
  if (first) first.click();
  // Clears only its own message; any other one stays until it is answered.
  let isLost = false;
  const follow = async () => {
    try {
      await training();
      if (isLost) say(null);
      isLost = false;
    } catch (error) {
      isLost = true;
      say(error);
    }
    setTimeout(follow, 2000);
  };
  await follow();
  view.ready = true;
}

addEventListener("DOMContentLoaded", () => attempt(begin));
