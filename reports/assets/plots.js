// Latencies, rates and clock offsets over the whole run, and the strip below the timeline. Each is drawn once into a
// picture of its own; moving the cursor or the window only lays lines over it. Dragging over a plot sets the
// timeline's window.

// A chart: `paint(context, frame)` draws the picture; frame has left, right, top, bottom and x(time).
function makeChart(view, canvas, margins, paint, onTime) {
  let picture = null;
  const frameOf = (width, height) => {
    const frame = { left: margins.left, right: width - margins.right, top: margins.top, bottom: height - margins.bottom };
    const limit = onTime ? Math.max(1, view.run.head.end) : view.limit();
    frame.limit = limit;
    frame.x = (t) => frame.left + t / limit * (frame.right - frame.left);
    frame.t = (x) => (x - frame.left) / (frame.right - frame.left) * limit;
    return frame;
  };
  const active = () => !onTime || view.axis === 'time';
  const draw = onFrame(() => {
    const { context: c, width, height, ratio } = prepared(canvas);
    if (width === 0) return;
    const frame = frameOf(width, height);
    if (!picture || picture.width !== canvas.width || picture.height !== canvas.height) {
      picture = document.createElement('canvas');
      picture.width = canvas.width;
      picture.height = canvas.height;
      const p = picture.getContext('2d');
      p.setTransform(ratio, 0, 0, ratio, 0, 0);
      paint(p, frame);
    }
    c.drawImage(picture, 0, 0, width, height);
    if (!active()) return;
    const from = Math.max(frame.left, frame.x(view.from));
    const to = Math.min(frame.right, Math.max(frame.x(view.to), from + 2));
    c.fillStyle = view.color('soft');
    c.globalAlpha = margins.movable ? 0.16 : 0.06;
    c.fillRect(frame.left, frame.top, from - frame.left, frame.bottom - frame.top);
    c.fillRect(to, frame.top, frame.right - to, frame.bottom - frame.top);
    c.globalAlpha = 1;
    c.fillRect(from, frame.top, 1, frame.bottom - frame.top);
    c.fillRect(to, frame.top, 1, frame.bottom - frame.top);
    if (view.cursor !== null && view.cursor >= 0 && view.cursor <= frame.limit) {
      c.fillStyle = view.color('accent');
      c.fillRect(frame.x(view.cursor), frame.top, 1, frame.bottom - frame.top);
    }
  });
  const repaint = () => { picture = null; draw(); };
  for (const event of ['range', 'cursor']) view.on(event, draw);
  view.on('theme', repaint);
  view.on('layout', repaint);
  new ResizeObserver(draw).observe(canvas);

  let drag = null;
  const timeAt = (event) => {
    const box = canvas.getBoundingClientRect();
    return frameOf(box.width, box.height).t(event.clientX - box.left);
  };
  canvas.addEventListener('pointerdown', (event) => {
    if (!active()) return;
    const t = timeAt(event);
    const inside = margins.movable && t > view.from && t < view.to;
    drag = { t, x: event.clientX, from: view.from, to: view.to, inside };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener('pointermove', (event) => {
    if (!active()) return;
    const t = timeAt(event);
    view.setCursor(t >= 0 ? t : null);
    if (!drag || Math.abs(event.clientX - drag.x) < 3) return;
    if (drag.inside) view.setRange(drag.from + t - drag.t, drag.to + t - drag.t);
    else view.setRange(Math.min(t, drag.t), Math.max(t, drag.t));
  });
  canvas.addEventListener('pointerup', (event) => {
    if (drag && Math.abs(event.clientX - drag.x) < 3) {
      const half = (view.to - view.from) / 2;
      view.setRange(drag.t - half, drag.t + half);
    }
    drag = null;
  });
  canvas.addEventListener('pointercancel', () => { drag = null; });
  canvas.addEventListener('pointerleave', () => view.setCursor(null));
}

function drawTimeAxis(c, view, frame) {
  const step = niceStep(frame.limit, (frame.right - frame.left) / 110);
  c.font = SANS;
  c.textAlign = 'center';
  c.fillStyle = view.color('soft');
  for (let t = 0; t <= frame.limit; t += step) {
    const x = frame.x(t);
    c.fillRect(x, frame.bottom, 1, 4);
    if (x > frame.left + 12 && x < frame.right - 20) c.fillText(timeText(t, step), x, frame.bottom + 15);
  }
  c.textAlign = 'left';
}

function drawLevel(c, view, frame, y, text) {
  c.fillStyle = view.color('line');
  c.fillRect(frame.left, y, frame.right - frame.left, 1);
  c.fillStyle = view.color('soft');
  c.font = SANS;
  c.textAlign = 'right';
  c.fillText(text, frame.left - 8, y + 4);
  c.textAlign = 'left';
}

function legend(id, view, entries) {
  const box = document.getElementById(id);
  const fill = () => box.replaceChildren(...entries.map(([color, text]) => {
    const swatch = element('i', {});
    swatch.style.background = color.startsWith('--') ? view.color(color.slice(2)) : color;
    return element('span', {}, swatch, text);
  }));
  fill();
  view.on('theme', fill);
}

// ---- the strip below the timeline: how many operations began when, faults, the counterexample, the window

function makeOverview(view) {
  const { run } = view;
  makeChart(view, document.getElementById('overview-canvas'), { left: GUTTER, right: 0, top: 4, bottom: 4, movable: true }, (c, frame) => {
    const width = Math.max(1, Math.round(frame.right - frame.left));
    const counts = [new Uint32Array(width), new Uint32Array(width), new Uint32Array(width)];
    const starts = view.starts();
    for (let i = 0; i < run.n; ++i) {
      const bin = Math.min(width - 1, Math.max(0, Math.floor(starts[i] / frame.limit * width)));
      ++counts[run.outcome[i]][bin];
    }
    let most = 1;
    for (let b = 0; b < width; ++b) most = Math.max(most, counts[0][b] + counts[1][b] + counts[2][b]);
    if (view.axis === 'time') drawFaults(c, view, frame.x, frame.left, frame.right, frame.top, frame.bottom);
    const scale = (frame.bottom - frame.top - 8) / most;
    for (let b = 0; b < width; ++b) {
      let y = frame.bottom;
      for (const outcome of [0, 1, 2]) {
        if (counts[outcome][b] === 0) continue;
        const h = Math.max(1, counts[outcome][b] * scale);
        c.fillStyle = view.color(OUTCOMES[outcome]);
        c.fillRect(frame.left + b, y - h, 1, h);
        y -= h;
      }
    }
    c.fillStyle = view.color('bad');
    for (const i of run.guilty) {
      const x = frame.x(starts[i]);
      c.beginPath();
      c.moveTo(x - 4, frame.top); c.lineTo(x + 4, frame.top); c.lineTo(x, frame.top + 7);
      c.fill();
    }
    c.fillStyle = view.color('soft');
    c.font = SANS;
    c.fillText('whole run', 10, (frame.top + frame.bottom) / 2 + 4);
  }, false);
}

// ---- latency

function makeLatency(view) {
  const { run } = view;
  const latency = (i) => Math.max(1, run.end[i] - run.start[i]);
  const completed = (i) => run.completion[i] !== NO_EVENT;
  let least = Infinity;
  let most = 1;
  for (let i = 0; i < run.n; ++i) {
    if (!completed(i)) continue;
    least = Math.min(least, latency(i));
    most = Math.max(most, latency(i));
  }
  if (least === Infinity) return;
  const low = Math.log10(least) - 0.1;
  const high = Math.max(low + 1, Math.log10(most) + 0.1);
  const QUANTILES = [['p50', 0.5, [], 2], ['p95', 0.95, [7, 3], 1.5], ['p99', 0.99, [2, 3], 1.5], ['max', 1, [1, 5], 1]];

  // For each slice of time the quantiles of what succeeded in it.
  function quantiles(slices) {
    const counts = new Uint32Array(slices + 1);
    const sliceOf = (i) => Math.min(slices - 1, Math.floor(run.start[i] / Math.max(1, run.head.end) * slices));
    for (let i = 0; i < run.n; ++i) if (run.outcome[i] === 0 && completed(i)) ++counts[sliceOf(i) + 1];
    for (let s = 0; s < slices; ++s) counts[s + 1] += counts[s];
    const values = new Float64Array(counts[slices]);
    const filled = counts.slice();
    for (let i = 0; i < run.n; ++i) if (run.outcome[i] === 0 && completed(i)) values[filled[sliceOf(i)]++] = latency(i);
    const out = [];
    for (let s = 0; s < slices; ++s) {
      const part = values.subarray(counts[s], counts[s + 1]).sort();
      out.push(part.length === 0 ? null : QUANTILES.map(([, q]) => part[Math.min(part.length - 1, Math.ceil(q * part.length) - 1)]));
    }
    return out;
  }
  let lines = null;

  function points(c, frame, y) {
    if (run.n <= 8000) {
      for (const outcome of [0, 1, 2]) {
        c.fillStyle = c.strokeStyle = view.color(OUTCOMES[outcome]);
        c.lineWidth = 1.4;
        c.globalAlpha = 0.75;
        for (let i = 0; i < run.n; ++i) {
          if (run.outcome[i] !== outcome || !completed(i)) continue;
          const px = frame.x(run.start[i]);
          const py = y(latency(i));
          c.beginPath();
          if (outcome === 0) { c.arc(px, py, 1.8, 0, 7); c.fill(); }
          else if (outcome === 1) { c.moveTo(px - 3, py - 3); c.lineTo(px + 3, py + 3); c.moveTo(px + 3, py - 3); c.lineTo(px - 3, py + 3); c.stroke(); }
          else { c.moveTo(px - 3, py - 4); c.lineTo(px + 4, py); c.lineTo(px - 3, py + 4); c.fill(); }
        }
      }
      c.globalAlpha = 1;
      return;
    }
    // Too many for shapes: how many fall on each pixel.
    const width = Math.ceil(frame.right - frame.left) + 1;
    const height = Math.ceil(frame.bottom - frame.top) + 1;
    const grids = [0, 1, 2].map(() => new Uint32Array(width * height));
    for (let i = 0; i < run.n; ++i) {
      if (!completed(i)) continue;
      const gx = Math.floor(frame.x(run.start[i]) - frame.left);
      const gy = Math.floor(y(latency(i)) - frame.top);
      if (gx >= 0 && gx < width && gy >= 0 && gy < height) ++grids[run.outcome[i]][gy * width + gx];
    }
    for (const outcome of [0, 1, 2]) {
      c.fillStyle = view.color(OUTCOMES[outcome]);
      const grid = grids[outcome];
      let total = 0;
      for (let g = 0; g < grid.length; ++g) total += grid[g];
      const size = total > 3000 ? 1.5 : 3;
      for (let g = 0; g < grid.length; ++g) {
        if (grid[g] === 0) continue;
        c.globalAlpha = Math.min(1, 0.35 + 0.2 * Math.log2(1 + grid[g]));
        c.fillRect(frame.left + g % width, frame.top + Math.floor(g / width), size, size);
      }
    }
    c.globalAlpha = 1;
  }

  makeChart(view, document.getElementById('latency-canvas'), { left: GUTTER, right: 0, top: 10, bottom: 22 }, (c, frame) => {
    const y = (ns) => frame.bottom - (Math.log10(ns) - low) / (high - low) * (frame.bottom - frame.top);
    for (let power = Math.ceil(low); power <= high; ++power) drawLevel(c, view, frame, y(10 ** power), durationText(10 ** power));
    drawFaults(c, view, frame.x, frame.left, frame.right, frame.top, frame.bottom);
    points(c, frame, y);
    lines = lines || quantiles(Math.max(10, Math.min(150, Math.floor(run.n / 60))));
    QUANTILES.forEach(([, , dash, width], k) => {
      c.strokeStyle = view.color('ink');
      c.lineWidth = width;
      c.setLineDash(dash);
      c.beginPath();
      let open = false;
      lines.forEach((slice, s) => {
        if (!slice) { open = false; return; }
        const x = frame.x((s + 0.5) / lines.length * frame.limit);
        if (open) c.lineTo(x, y(slice[k]));
        else c.moveTo(x, y(slice[k]));
        open = true;
      });
      c.stroke();
    });
    c.setLineDash([]);
    drawTimeAxis(c, view, frame);
  }, true);
  legend('latency-legend', view, [['--ok', 'ok'], ['--fail', 'fail'], ['--info', 'info'], ['--ink', 'lines: p50 solid, p95 dashed, p99 and max dotted, of ok operations']]);
}

// ---- rates

function makeRate(view) {
  const { run } = view;
  makeChart(view, document.getElementById('rate-canvas'), { left: GUTTER, right: 0, top: 10, bottom: 22 }, (c, frame) => {
    const bins = Math.max(10, Math.min(200, Math.floor((frame.right - frame.left) / 5)));
    const rates = [0, 1, 2].map(() => new Float64Array(bins));
    // Each operation of the page stands for so many of the run.
    const perBin = frame.limit / bins / 1e9 * run.n / (run.head.of || run.n);
    for (let i = 0; i < run.n; ++i) rates[run.outcome[i]][Math.min(bins - 1, Math.floor(run.end[i] / frame.limit * bins))] += 1 / perBin;
    let most = 0;
    for (const rate of rates) for (const value of rate) most = Math.max(most, value);
    const step = niceStep(most, 4);
    const top = Math.max(step, Math.ceil(most / step) * step);
    const y = (value) => frame.bottom - value / top * (frame.bottom - frame.top);
    for (let value = 0; value <= top; value += step) drawLevel(c, view, frame, y(value), grouped(value) + '/s');
    drawFaults(c, view, frame.x, frame.left, frame.right, frame.top, frame.bottom);
    const dashes = [[], [6, 3], [2, 2]];
    for (const outcome of [0, 1, 2]) {
      if (!rates[outcome].some((value) => value > 0)) continue;
      c.beginPath();
      rates[outcome].forEach((value, b) => {
        c.lineTo(frame.x(b / bins * frame.limit), y(value));
        c.lineTo(frame.x((b + 1) / bins * frame.limit), y(value));
      });
      c.strokeStyle = c.fillStyle = view.color(OUTCOMES[outcome]);
      c.lineWidth = 2;
      c.setLineDash(dashes[outcome]);
      c.stroke();
      c.setLineDash([]);
      c.lineTo(frame.right, frame.bottom);
      c.lineTo(frame.left, frame.bottom);
      c.globalAlpha = 0.22;
      c.fill();
      c.globalAlpha = 1;
    }
    drawTimeAxis(c, view, frame);
  }, true);
  legend('rate-legend', view, [['--ok', 'ok'], ['--fail', 'fail (dashed)'], ['--info', 'info (dotted)']]);
}

// ---- clocks

const NODE_COLORS = ['#4f8fd0', '#d0713c', '#3f9a6b', '#a06ac0', '#b0912f', '#c25585', '#5d9aa0'];

function makeClocks(view) {
  const canvas = document.getElementById('clock-canvas');
  if (!canvas) return;
  const nodes = new Map();
  let most = 1e6;
  for (const [node, time, offset] of view.run.head.clocks) {
    if (!nodes.has(node)) nodes.set(node, []);
    nodes.get(node).push([time, offset]);
    most = Math.max(most, Math.abs(offset));
  }
  const names = [...nodes.keys()].sort();
  makeChart(view, canvas, { left: GUTTER, right: 0, top: 10, bottom: 22 }, (c, frame) => {
    const step = niceStep(most, 2);
    const top = Math.ceil(most / step) * step;
    const y = (offset) => (frame.top + frame.bottom) / 2 - offset / top * (frame.bottom - frame.top) / 2;
    for (let value = -top; value <= top; value += step) {
      drawLevel(c, view, frame, y(value), (value < 0 ? '−' : value > 0 ? '+' : '') + durationText(Math.abs(value)));
    }
    drawFaults(c, view, frame.x, frame.left, frame.right, frame.top, frame.bottom);
    names.forEach((name, k) => {
      c.strokeStyle = NODE_COLORS[k % NODE_COLORS.length];
      c.setLineDash(k < NODE_COLORS.length ? [] : [5, 3]);
      c.lineWidth = 1.6;
      c.beginPath();
      for (const [time, offset] of nodes.get(name)) c.lineTo(frame.x(time), y(offset));
      c.stroke();
    });
    c.setLineDash([]);
    drawTimeAxis(c, view, frame);
  }, true);
  legend('clock-legend', view, names.map((name, k) => [NODE_COLORS[k % NODE_COLORS.length], name]));
}
