"use strict";

const PEN = 0.065; // the pen's width, of the paper's side
const SIDE = 112; // rows and columns that are sent
const EXTENT = 80; // of the digit's middle line in them
const STROKE = 14; // in them: 3 of the 20 pixels of a digit, MNIST's own
const SMALL = 0.08; // of the paper's side: too small to be a digit
const HEIGHT = 176; // of a layer's picture, about, in CSS pixels
const COLUMNS = { c1: 3, s2: 2, c3: 4, s4: 4, c5: 10, f6: 7, average: 4 };
const KINDS = {
  c1: "convolution", s2: "subsampling", c3: "convolution", s4: "subsampling",
  c5: "convolution", f6: "full connection", average: "average", output: "scores",
};

const $ = (id) => document.getElementById(id);
const paper = $("paper");
const strokes = []; // each a list of points [x, y], 0 .. 1
const drawing = new Map(); // pointer -> its stroke
const pen = { x: 0.5, y: 0.5, down: false, shown: false }; // the keyboard's
const sheet = Object.assign(document.createElement("canvas"), { width: SIDE, height: SIDE });
let model, reading, bars = [];

function trace(context, place, width, colour) {
  context.lineWidth = width;
  context.lineCap = context.lineJoin = "round";
  context.strokeStyle = colour;
  for (const stroke of strokes) {
    const points = stroke.map(place);
    const [x, y] = points[0];
    context.beginPath();
    context.moveTo(x, y);
    context.lineTo(x + 0.01, y); // a point is a dot
    for (let i = 1; i < points.length; i++) {
      const [a, b] = points[i], [c, d] = points[Math.min(i + 1, points.length - 1)];
      context.quadraticCurveTo(a, b, (a + c) / 2, (b + d) / 2);
    }
    context.stroke();
  }
}

function theme(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function drawPaper() {
  const side = Math.round(paper.clientWidth * devicePixelRatio);
  if (paper.width !== side) paper.width = paper.height = side;
  const context = paper.getContext("2d");
  context.clearRect(0, 0, side, side);
  trace(context, ([x, y]) => [x * side, y * side], PEN * side, theme("--ink"));
  if (pen.shown) {
    context.beginPath();
    context.arc(pen.x * side, pen.y * side, PEN * side / 2, 0, 7);
    context.lineWidth = 2 * devicePixelRatio;
    context.strokeStyle = theme(pen.down ? "--positive" : "--negative");
    context.stroke();
  }
  document.body.classList.toggle("drawn", strokes.length > 0);
}

// The drawing's middle and its larger side.
function extent() {
  const points = strokes.flat();
  const [x, y] = [0, 1].map((k) => points.reduce(
    ([low, high], p) => [Math.min(low, p[k]), Math.max(high, p[k])], [1, 0]));
  return { middle: [(x[0] + x[1]) / 2, (y[0] + y[1]) / 2], size: Math.max(x[1] - x[0], y[1] - y[0]) };
}

// The strokes as greys: drawn anew at one size with one pen, however large they are on the paper.
function raster({ middle, size }) {
  const context = sheet.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "#000";
  context.fillRect(0, 0, SIDE, SIDE);
  if (model.preparation === "ink") {
    const place = (p) => p.map((v, k) => SIDE / 2 + (v - middle[k]) * EXTENT / size);
    trace(context, place, STROKE, "#fff");
  } else {
    trace(context, (p) => p.map((v) => v * SIDE), PEN * SIDE, "#fff");
  }
  const pixels = context.getImageData(0, 0, SIDE, SIDE).data;
  return Uint8Array.from({ length: SIDE * SIDE }, (_, i) => pixels[4 * i]);
}

async function ask(greys) {
  const response = await fetch(`/api/predict?maps=1&width=${SIDE}&height=${SIDE}`, {
    method: "POST",
    headers: { "Content-Type": "application/octet-stream" },
    body: greys,
    signal: AbortSignal.timeout(10000),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  return answer;
}

let waiting = false, changed = false;

// One request at a time; what is drawn meanwhile goes with the next.
async function update() {
  drawPaper();
  changed = true;
  if (waiting || !model) return;
  waiting = true;
  while (changed) {
    changed = false;
    const box = extent();
    if (!strokes.length || box.size < SMALL) {
      show(null, strokes.length ? "too small: draw larger" : "nothing drawn");
      continue;
    }
    try {
      const answer = await ask(raster(box));
      if (strokes.length) show(answer, verdict(answer));
    } catch (error) {
      const late = error instanceof TypeError || error.name === "TimeoutError";
      show(null, late ? "the server does not answer" : error.message, true);
    }
    await new Promise(requestAnimationFrame);
  }
  waiting = false;
}

function percent(p) {
  return `${(100 * p).toFixed(1)} %`;
}

// What a class is called in a sentence; the extra one without a name of its own is no digit.
function said(k) {
  const extra = model.extra === "none" && k === model.classes.length - 1;
  return extra && model.classes[k] === "none" ? "no digit" : model.classes[k];
}

function verdict(answer) {
  const order = answer.probabilities.map((p, k) => [p, said(k)]).sort((a, b) => b[0] - a[0]);
  if (!answer.sure) return `not sure: ${order[0][1]} or ${order[1][1]}`;
  const p = percent(answer.probability);
  return answer.rejected ? `${order[0][1]}: ${p}` : p;
}

function show(answer, message, failed = false) {
  reading = answer;
  const name = answer && !answer.rejected ? answer.name : "\u2013";
  $("answer").textContent = name;
  $("answer").classList.toggle("long", name.length > 2);
  if ($("message").textContent !== message) $("message").textContent = message;
  document.body.classList.toggle("empty", !answer);
  document.body.classList.toggle("unsure", answer?.sure === false);
  document.body.classList.toggle("failed", failed);
  const best = answer?.rejected ? model.classes.length - 1 : answer?.label;
  bars.forEach(({ item, bar, value }, k) => {
    const p = answer ? answer.probabilities[k] : 0;
    item.classList.toggle("best", k === best);
    bar.style.transform = `scaleX(${p})`;
    value.textContent = answer ? percent(p) : "";
  });
  paint();
}

// Colours of values -1 .. 1, as 511 pixels: negative, ground, positive.
function palette(negative, ground, positive) {
  const [a, b, c] = [negative, ground, positive].map((name) =>
    theme(name).match(/\w\w/g).map((digits) => parseInt(digits, 16)));
  return Uint32Array.from({ length: 511 }, (_, i) => {
    const t = Math.abs(i - 255) / 255;
    const [red, green, blue] = b.map((v, k) => Math.round(v + t * ((i < 255 ? a : c)[k] - v)));
    return (255 << 24 | blue << 16 | green << 8 | red) >>> 0;
  });
}

function fill(canvas, { width, height, columns, zoom, gap }, values, colours) {
  const context = canvas.getContext("2d");
  const image = context.createImageData(canvas.width, canvas.height);
  const pixels = new Uint32Array(image.data.buffer);
  const most = values.reduce((m, v) => Math.max(m, Math.abs(v)), 1e-9);
  values.forEach((value, i) => {
    const map = Math.floor(i / (width * height)), row = Math.floor(i / width) % height;
    const top = Math.floor(map / columns) * (height * zoom + gap) + row * zoom;
    const left = (map % columns) * (width * zoom + gap) + (i % width) * zoom;
    const colour = colours[255 + Math.round(255 * value / most)];
    for (let y = top; y < top + zoom; y++) {
      pixels.fill(colour, y * canvas.width + left, y * canvas.width + left + zoom);
    }
  });
  context.putImageData(image, 0, 0);
}

function paint() {
  const maps = palette("--negative", "--surface", "--positive");
  const greys = palette("--ink", "--surface", "--ink");
  const side = reading ? reading.prepared.length : model.image_size;
  const prepared = reading ? reading.prepared.flat() : new Array(side * side).fill(0);
  $("prepared").width = $("prepared").height = side;
  $("size").textContent = `${side} \u00d7 ${side}, as the network gets it`;
  fill($("prepared"), { width: side, height: side, columns: 1, zoom: 1, gap: 0 }, prepared, greys);
  for (const { name, shape, canvas, layout } of model.layers) {
    const count = shape[0] * shape[1] * shape[2];
    const values = reading ? reading.maps[name].flat(2) : new Array(count).fill(0);
    fill(canvas, layout, values, maps);
  }
}

function element(parent, tag, name, text = "") {
  const made = document.createElement(tag);
  made.className = name;
  made.textContent = text;
  parent.append(made);
  return made;
}

function build() {
  $("bars").classList.toggle("many", model.classes.length > 12);
  bars = model.classes.map((name) => {
    const item = element($("bars"), "li", "");
    element(item, "span", "name", name);
    const bar = element(element(item, "span", "track"), "span", "bar");
    return { item, bar, value: element(item, "span", "value") };
  });
  for (const layer of model.layers) {
    const [maps, height, width] = layer.shape;
    const units = width * height === 1;
    const columns = COLUMNS[layer.name] ?? Math.ceil(maps / 12);
    const rows = Math.ceil(maps / columns), gap = units ? 2 : 4;
    const zoom = Math.max(1, Math.round((HEIGHT - (rows - 1) * gap) / (rows * height)));
    layer.layout = { width, height, columns, zoom, gap };
    const figure = element($("layers"), "figure", "");
    const canvas = layer.canvas = element(figure, "canvas", "");
    canvas.id = layer.name;
    canvas.width = columns * (width * zoom + gap) - gap;
    canvas.height = rows * (height * zoom + gap) - gap;
    const title = layer.name === "output" ? "Output" : layer.name.toUpperCase();
    const shape = units ? `${maps}` : layer.shape.join(" \u00d7 ");
    const caption = element(figure, "figcaption", "");
    for (const text of [title, shape, KINDS[layer.name]]) element(caption, "span", "", text);
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `Maps of ${title}`);
  }
  const total = model.layers.reduce((sum, layer) => sum + layer.parameters, 0);
  $("about").textContent = `lenet-c ${model.version}, model ${model.model}, preset ${model.preset}, `
    + `${total.toLocaleString("en")} parameters. Programs POST to /api/predict.`;
  show(null, "nothing drawn");
}

function point(event) {
  const box = paper.getBoundingClientRect();
  return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height]
    .map((v) => Math.min(Math.max(v, 0), 1));
}

function clear() {
  strokes.length = 0;
  drawing.clear();
  pen.down = false;
  update();
}

function undo() {
  strokes.pop();
  drawing.clear();
  pen.down = false;
  update();
}

paper.addEventListener("pointerdown", (event) => {
  if (event.button) return;
  paper.setPointerCapture(event.pointerId);
  const stroke = [point(event)];
  strokes.push(stroke);
  drawing.set(event.pointerId, stroke);
  pen.shown = pen.down = false;
  update();
});

paper.addEventListener("pointermove", (event) => {
  const stroke = drawing.get(event.pointerId);
  if (!stroke) return;
  const events = event.getCoalescedEvents?.() ?? [];
  stroke.push(...(events.length ? events : [event]).map(point));
  update();
});

for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
  paper.addEventListener(end, (event) => drawing.delete(event.pointerId));
}

const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

paper.addEventListener("keydown", (event) => {
  const step = STEPS[event.key];
  if (!step && event.key !== " ") return;
  event.preventDefault();
  if (step) {
    const length = event.shiftKey ? 0.01 : 0.04;
    pen.x = Math.min(Math.max(pen.x + step[0] * length, 0), 1);
    pen.y = Math.min(Math.max(pen.y + step[1] * length, 0), 1);
    if (pen.down) strokes.at(-1).push([pen.x, pen.y]);
  } else {
    pen.down = !pen.down;
    if (pen.down) strokes.push([[pen.x, pen.y]]);
  }
  pen.shown = true;
  update();
});

paper.addEventListener("blur", () => {
  pen.shown = pen.down = false;
  drawPaper();
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") clear();
  if (event.key === "z" && (event.ctrlKey || event.metaKey)) undo();
});

$("clear").addEventListener("click", clear);
$("undo").addEventListener("click", undo);
new ResizeObserver(drawPaper).observe(paper);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  drawPaper();
  if (model) paint();
});

fetch("/api/model").then((response) => response.json()).then((found) => {
  model = found;
  build();
  update();
}).catch(() => {
  $("message").textContent = "the server does not answer";
});
