// What the parts of the page share: the range of time in view, the cursor, the selected operation, the colours. A part
// listens with `view.on(event, call)`; the view is kept in the URL's hash, so that a link shows what its sender saw.

function makeView(run) {
  const listeners = { range: [], cursor: [], select: [], theme: [], layout: [], guilty: [] };
  const view = {
    run,
    axis: run.timed ? 'time' : 'order',
    lanes: run.head.workers.length > 0 ? 'worker' : 'process',
    from: 0,
    to: 1,
    case: 0,        // the counterexample shown last
    cursor: null,   // on the current axis
    selected: -1,
    dim: run.guilty.size > 0,
    on(event, call) { listeners[event].push(call); },
    emit(event) { for (const call of listeners[event]) call(); },

    starts() { return view.axis === 'time' ? run.start : run.orderStart; },
    ends() { return view.axis === 'time' ? run.end : run.orderEnd; },
    // The whole run on the current axis.
    limit() { return Math.max(1, view.axis === 'time' ? run.head.end : run.head.events); },

    setRange(from, to) {
      const limit = view.limit();
      const least = view.axis === 'time' ? Math.min(1000, limit) : Math.min(4, limit);
      let width = Math.min(Math.max(to - from, least), limit * 1.04);
      const middle = (from + to) / 2;
      from = Math.max(-limit * 0.02, Math.min(middle - width / 2, limit * 1.02 - width));
      view.from = from;
      view.to = from + width;
      saveHash(view);
      view.emit('range');
    },
    zoom(factor, around) {
      const at = around === undefined ? (view.from + view.to) / 2 : around;
      view.setRange(at - (at - view.from) * factor, at + (view.to - at) * factor);
    },
    pan(share) {
      const by = (view.to - view.from) * share;
      view.setRange(view.from + by, view.to + by);
    },
    showAll() { view.setRange(0, view.limit()); },
    // A counterexample with some room around it; asked again, the next one. Without any the whole run.
    showGuilty() {
      if (run.cases.length === 0) return view.showAll();
      if (view.shown && view.shown === view.from + ':' + view.to) view.case = (view.case + 1) % run.cases.length;
      let from = Infinity;
      let to = -Infinity;
      for (const i of run.cases[view.case]) {
        from = Math.min(from, view.starts()[i]);
        to = Math.max(to, run.outcome[i] === 2 ? view.starts()[i] : view.ends()[i]);
      }
      const room = Math.max((to - from) * 0.12, view.axis === 'time' ? 1e6 : 3);
      view.setRange(from - room, to + room);
      view.shown = view.from + ':' + view.to;
      view.emit('guilty');
    },
    setAxis(axis) {
      if (axis === view.axis || (axis === 'time' && !run.timed)) return;
      // Keep what is in view in view.
      const first = Math.min(run.n - 1, search(0, run.n, (i) => view.starts()[i] >= view.from));
      const last = Math.max(first, Math.min(run.n - 1, search(0, run.n, (i) => view.starts()[i] > view.to) - 1));
      view.axis = axis;
      view.cursor = null;
      view.emit('layout');
      view.setRange(view.starts()[first], Math.max(view.starts()[last], view.starts()[first] + 1));
    },
    setLanes(lanes) {
      view.lanes = lanes;
      view.emit('layout');
      saveHash(view);
      view.emit('range');
    },
    setCursor(at) {
      if (at === view.cursor) return;
      view.cursor = at;
      view.emit('cursor');
    },
    // Selects an operation; `reveal` moves the timeline there when it is out of sight.
    select(i, reveal) {
      view.selected = i;
      if (reveal && i >= 0) {
        const start = view.starts()[i];
        const end = run.outcome[i] === 2 ? start : view.ends()[i];
        const width = view.to - view.from;
        if (start < view.from || end > view.to) {
          const wanted = Math.max(width, (end - start) * 1.4);
          view.setRange((start + end - wanted) / 2, (start + end + wanted) / 2);
        }
      }
      saveHash(view);
      view.emit('select');
    },
    color(name) { return colors[name]; },
  };
  const colors = {};
  const names = ['page', 'card', 'ink', 'soft', 'line', 'wash', 'ok', 'info', 'fail', 'ok-ink', 'info-ink', 'fail-ink', 'bad',
    'good', 'accent', 'band', 'band-line', 'select', 'open'];
  const readColors = () => {
    const style = getComputedStyle(document.documentElement);
    for (const name of names) colors[name] = style.getPropertyValue('--' + name).trim();
  };
  readColors();
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => { readColors(); view.emit('theme'); });
  return view;
}

// ---- the view in the hash: #axis=time&lanes=key&from=1.5&to=2.25&op=1234

let hashTimer = 0;
function saveHash(view) {
  if (!view.ready) return;
  clearTimeout(hashTimer);
  hashTimer = setTimeout(() => {
    const scale = view.axis === 'time' ? 1e9 : 1;
    const parts = ['axis=' + view.axis, 'lanes=' + view.lanes, 'from=' + Number((view.from / scale).toFixed(7)),
      'to=' + Number((view.to / scale).toFixed(7))];
    if (view.selected >= 0) parts.push('op=' + view.run.place[view.selected]);
    try {
      history.replaceState(null, '', '#' + parts.join('&'));
    } catch (error) {
      // Some browsers refuse for files; the page works without.
    }
  }, 250);
}

// True when the hash held a view.
function loadHash(view) {
  const wanted = new URLSearchParams(location.hash.slice(1));
  if (!wanted.has('from')) return false;
  const axis = wanted.get('axis');
  if (axis === 'order' || (axis === 'time' && view.run.timed)) view.axis = axis;
  if (['worker', 'process', 'key', 'node'].includes(wanted.get('lanes'))) view.lanes = wanted.get('lanes');
  if (view.run.head.workers.length === 0 && (view.lanes === 'worker' || view.lanes === 'node')) view.lanes = 'process';
  const scale = view.axis === 'time' ? 1e9 : 1;
  const from = Number(wanted.get('from')) * scale;
  const to = Number(wanted.get('to')) * scale;
  if (!(to > from)) return false;
  view.emit('layout');
  view.setRange(from, to);
  if (wanted.has('op')) view.select(operationAt(view.run, Number(wanted.get('op'))), false);
  return true;
}

// ---- small things for the page

function element(tag, attributes, ...children) {
  const out = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name === 'text') out.textContent = value;
    else if (name.startsWith('on')) out.addEventListener(name.slice(2), value);
    else if (value === true) out.setAttribute(name, '');
    else if (value !== false) out.setAttribute(name, value);
  }
  out.append(...children);
  return out;
}

// A canvas of the right number of pixels for this screen; returns its context, in CSS pixels.
function prepared(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const width = canvas.clientWidth;
  const height = canvas.clientHeight;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const context = canvas.getContext('2d');
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height, ratio };
}

// Calls `draw` once before the next frame, however often it was asked for.
function onFrame(draw) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => { asked = false; draw(); });
  };
}

// Round distances for an axis: 1, 2 or 5 times a power of ten.
function niceStep(range, count) {
  const raw = range / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(raw));
  for (const factor of [1, 2, 5]) if (raw <= factor * power) return factor * power;
  return 10 * power;
}

const FONT = '11px ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace';
const SANS = '11px system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif';
const GUTTER = 92;  // room for the names of lanes and for the labels of y axes

const FAULT_LINE = 13;
const MOST_FAULT_LINES = 14;

// Gives each fault the first line on which no other one of its time is, and says how many lines that takes.
function layFaultLines(faults) {
  const free = [];  // by line: from when on
  for (const fault of [...faults].sort((a, b) => a.from - b.from)) {
    let line = 0;
    while (line < free.length && free[line] > fault.from) ++line;
    free[line] = fault.to;
    fault.line = Math.min(line, MOST_FAULT_LINES - 1);
  }
  return Math.min(free.length, MOST_FAULT_LINES);
}

// What faults were in force when, as bands; `at` turns a time into an x. Two at a time are darker than one, more are no
// darker than that, so that what lies above can be read.
function drawFaults(context, view, at, left, right, top, bottom) {
  const edges = [];
  for (const fault of view.run.head.faults) {
    const weight = fault.confirmed ? 1 : 0.45;
    edges.push([fault.from, weight], [Math.max(fault.to, fault.from + 1), -weight]);
  }
  edges.sort((a, b) => a[0] - b[0]);
  context.fillStyle = view.color('band');
  let weight = 0;
  for (let i = 0; i + 1 < edges.length; ++i) {
    weight += edges[i][1];
    const from = Math.max(left, at(edges[i][0]));
    const to = Math.min(right, at(edges[i + 1][0]));
    if (weight < 0.1 || to <= from) continue;
    for (let rest = Math.min(weight, 2); rest > 0.1; --rest) {
      context.globalAlpha = Math.min(1, rest);
      context.fillRect(from, top, to - from, bottom - top);
    }
  }
  context.globalAlpha = 1;
}

// A line for each fault, with its name as far as there is room.
function drawFaultNames(context, view, at, left, right, top) {
  for (const fault of view.run.head.faults) {
    const from = Math.max(left, at(fault.from));
    const to = Math.min(right, at(fault.to));
    if (to < left || from > right) continue;
    context.strokeStyle = view.color('band-line');
    context.lineWidth = 2;
    context.setLineDash(fault.confirmed ? [] : [3, 3]);
    const y = top + 2 + fault.line * FAULT_LINE;
    context.beginPath();
    context.moveTo(from, y);
    context.lineTo(to, y);
    context.stroke();
    context.setLineDash([]);
    context.font = SANS;
    const text = fault.fault + (fault.nodes.length ? ' ' + fault.nodes.join(', ') : '') + (fault.confirmed ? '' : ' (not confirmed)');
    if (to - from > 24) {
      context.save();
      context.beginPath();
      context.rect(from, y, to - from, FAULT_LINE);
      context.clip();
      context.fillStyle = view.color('band-line');
      context.fillText(text, from + 4, y + 11);
      context.restore();
    }
  }
}
