// The timeline: a lane for each worker, process, key or node, a bar for each operation. Only what is in view is looked
// at (binary search in each lane), and where more operations than pixels fall together their density is drawn, so
// that a million operations move as easily as a hundred.

const TOP = 24;       // the axis
const LEAST_ROW = 20;
const BEST_ROW = 30;
const TALLEST_CANVAS = 460;

// Groups the operations into lanes, and each lane into rows without overlaps.
function makeLanes(view) {
  const { run, lanes } = view;
  const workers = run.head.workers.length;
  const workerOf = (p) => (p >= 0 ? p % workers : p);
  const nodeNames = [...new Set(run.head.workers)].sort();
  const groupOf = {
    worker: (i) => workerOf(run.process[i]),
    process: (i) => run.process[i],
    key: (i) => run.key[i],
    node: (i) => (run.process[i] >= 0 ? nodeNames.indexOf(run.head.workers[run.process[i] % workers]) : run.process[i]),
  }[lanes];
  const nameOf = {
    worker: (g) => (g >= 0 ? 'worker ' + g + ' · ' + run.head.workers[g] : processName(run, g)),
    process: (g) => 'process ' + processName(run, g),
    key: (g) => (g ? run.keys.get(g) : 'no key'),
    node: (g) => (g >= 0 ? nodeNames[g] : processName(run, g)),
  }[lanes];
  const groups = new Map();
  for (let i = 0; i < run.n; ++i) {
    const g = groupOf(i);
    if (!groups.has(g)) groups.set(g, { rows: [] });
  }
  const rowOf = new Uint32Array(run.n);
  // Rows within a group: the first one that is free. The order of events decides, so that it serves both axes.
  for (let i = 0; i < run.n; ++i) {
    const group = groups.get(groupOf(i));
    let row = 0;
    while (row < group.rows.length && group.rows[row] >= run.place[i]) ++row;
    group.rows[row] = run.completion[i] === NO_EVENT ? run.place[i] : run.completion[i];
    rowOf[i] = row;
  }
  const collator = new Intl.Collator('en', { numeric: true });
  const order = [...groups.keys()].sort(lanes === 'key' ? (a, b) => collator.compare(nameOf(a), nameOf(b)) : (a, b) => a - b);
  const rows = [];
  for (const g of order) {
    const group = groups.get(g);
    group.first = rows.length;
    for (let k = 0; k < group.rows.length; ++k) rows.push({ name: k === 0 ? nameOf(g) : '', first: k === 0, count: 0 });
  }
  for (let i = 0; i < run.n; ++i) ++rows[(rowOf[i] += groups.get(groupOf(i)).first)].count;
  // The operations of each row, in order, and running counts of those that did not end well.
  const list = new Uint32Array(run.n);
  const fails = new Uint32Array(run.n + rows.length);
  const infos = new Uint32Array(run.n + rows.length);
  let at = 0;
  for (let r = 0; r < rows.length; ++r) {
    rows[r].offset = at;
    rows[r].sums = at + r;
    at += rows[r].count;
    rows[r].filled = 0;
  }
  for (let i = 0; i < run.n; ++i) {
    const row = rows[rowOf[i]];
    const sum = row.sums + row.filled;
    list[row.offset + row.filled++] = i;
    fails[sum + 1] = fails[sum] + (run.outcome[i] === 1 ? 1 : 0);
    infos[sum + 1] = infos[sum] + (run.outcome[i] === 2 ? 1 : 0);
  }
  return { rows, list, rowOf, fails, infos };
}

function makeTimeline(view) {
  const canvas = document.getElementById('timeline-canvas');
  const { run } = view;
  let lanes = makeLanes(view);
  let scroll = 0;
  // The lines of the faults' names, below the axis.
  const BAND = 6 + FAULT_LINE * layFaultLines(view.run.head.faults);
  let tip = null;

  // As high as its lanes need, up to a limit beyond which they scroll.
  const fit = () => { canvas.style.height = Math.min(TALLEST_CANVAS + BAND, Math.max(160, TOP + BAND + 8 + lanes.rows.length * BEST_ROW)) + 'px'; };
  fit();
  const rowHeight = () => Math.max(LEAST_ROW, Math.min(BEST_ROW, (canvas.clientHeight - TOP - BAND - 4) / Math.max(1, lanes.rows.length)));
  const maxScroll = () => Math.max(0, lanes.rows.length * rowHeight() + BAND + 4 - (canvas.clientHeight - TOP));
  const innerWidth = () => canvas.clientWidth - GUTTER;
  const xOf = (t) => GUTTER + (t - view.from) / (view.to - view.from) * innerWidth();
  const tOf = (x) => view.from + (x - GUTTER) / innerWidth() * (view.to - view.from);
  const yOf = (r) => TOP + BAND + r * rowHeight() - scroll;

  // [first, last) of a row's operations in view, as positions within the row.
  function visible(row, from, to) {
    const ends = view.ends();
    const starts = view.starts();
    const { list } = lanes;
    const first = search(0, row.count, (k) => ends[list[row.offset + k]] >= from);
    return [first, search(first, row.count, (k) => starts[list[row.offset + k]] > to)];
  }

  function drawBar(c, i, y, height) {
    const starts = view.starts();
    const ends = view.ends();
    const outcome = run.outcome[i];
    const x = Math.max(xOf(starts[i]), GUTTER - 30);
    const end = Math.max(Math.min(xOf(ends[i]), canvas.clientWidth + 30), x + (outcome === 2 ? 10 : 2));
    const width = end - x;
    const guilty = run.guilty.has(i);
    c.globalAlpha = view.dim && !guilty && i !== view.selected ? 0.4 : 1;
    c.fillStyle = view.color(OUTCOMES[outcome]);
    c.beginPath();
    if (outcome === 0) {
      if (width < 6) c.rect(x, y, width, height);
      else c.roundRect(x, y, width, height, 4);
    } else if (outcome === 1) {
      // A low bar with a cross above its end.
      c.rect(x, y + height / 2, width, height / 2);
    } else {
      // An arrow: it may take effect at any later time.
      const head = Math.min(9, width);
      c.moveTo(x, y); c.lineTo(end - head, y); c.lineTo(end, y + height / 2); c.lineTo(end - head, y + height);
      c.lineTo(x, y + height); c.closePath();
    }
    c.fill();
    if (guilty || i === view.selected) {
      c.lineWidth = 2;
      c.strokeStyle = i === view.selected ? view.color('select') : view.color('bad');
      c.stroke();
    }
    if (outcome === 1 && width > 5) {
      c.strokeStyle = view.color('fail-ink');
      c.lineWidth = 1.5;
      const s = Math.min(3, height / 5);
      c.beginPath();
      c.moveTo(end - 2 * s - 1, y + 1); c.lineTo(end - 1, y + 1 + 2 * s); c.moveTo(end - 1, y + 1); c.lineTo(end - 2 * s - 1, y + 1 + 2 * s);
      c.stroke();
    }
    const shown = Math.max(x, GUTTER);
    if (end - shown > 34 && height >= 12) {
      const room = Math.floor((Math.min(end, canvas.clientWidth) - shown - 10) / 6.7);
      let text = operationText(run, i);
      if (text.length > room) text = text.slice(0, Math.max(0, room - 1)) + '…';
      if (outcome === 1) {
        c.fillStyle = view.color('ink');
        c.fillText(text, shown + 5, y + height / 2 - 1 + 5);
      } else {
        c.fillStyle = '#12181d';
        c.fillText(text, shown + 5, y + height / 2 + 4);
      }
    }
    c.globalAlpha = 1;
  }

  function drawDensity(c, row, first, end, y, height) {
    const { list, fails, infos } = lanes;
    const starts = view.starts();
    const width = innerWidth();
    const step = (view.to - view.from) / width;
    const ops = row.offset;
    let k = first;
    for (let px = 0; px < width && k < end; ++px) {
      const edge = view.from + (px + 1) * step;
      const next = search(k, end, (p) => starts[list[ops + p]] > edge);
      if (next === k) continue;
      const failed = fails[row.sums + next] - fails[row.sums + k];
      const unknown = infos[row.sums + next] - infos[row.sums + k];
      const good = next - k - failed - unknown;
      const x = GUTTER + px;
      if (good > 0) {
        c.globalAlpha = Math.min(1, 0.45 + 0.12 * good);
        c.fillStyle = view.color('ok');
        c.fillRect(x, y, 1, height);
      }
      // The last one may reach far beyond its pixel.
      const last = list[ops + next - 1];
      const reach = Math.min(xOf(view.ends()[last]), GUTTER + width) - x - 1;
      if (reach > 1) {
        c.globalAlpha = 0.5;
        c.fillStyle = view.color(OUTCOMES[run.outcome[last]]);
        c.fillRect(x + 1, y, reach, height);
      }
      c.globalAlpha = 1;
      // Bad ends stay visible however few they are: fails below, unknown ones above.
      const share = (count, least) => height * Math.max(least, count / (next - k));
      if (failed > 0) { c.fillStyle = view.color('fail'); c.fillRect(x, y + height - share(failed, 0.16), 1, share(failed, 0.16)); }
      if (unknown > 0) { c.fillStyle = view.color('info'); c.fillRect(x, y, 1, share(unknown, 0.5)); }
      k = next;
    }
    c.globalAlpha = 1;
  }

  function drawAxis(c, width, height) {
    const step = niceStep(view.to - view.from, innerWidth() / 110);
    c.font = SANS;
    c.textAlign = 'center';
    for (let t = Math.ceil(view.from / step) * step; t <= view.to; t += step) {
      const x = xOf(t);
      if (x < GUTTER) continue;
      c.fillStyle = view.color('line');
      c.fillRect(x, TOP - 5, 1, height);
      c.fillStyle = view.color('soft');
      if (x > GUTTER + 20 && x < width - 24) {
        c.fillText(view.axis === 'time' ? timeText(t, step) : 'event ' + grouped(t + 0), x, 14);
      }
    }
    c.textAlign = 'left';
  }

  const draw = onFrame(() => {
    const { context: c, width, height } = prepared(canvas);
    if (width === 0) return;
    scroll = Math.max(0, Math.min(scroll, maxScroll()));
    drawAxis(c, width, height);
    c.save();
    c.beginPath();
    c.rect(GUTTER, TOP, width - GUTTER, height - TOP);
    c.clip();
    if (view.axis === 'time') {
      drawFaults(c, view, xOf, GUTTER, width, TOP, height);
      drawFaultNames(c, view, xOf, GUTTER, width, TOP);
    }
    c.save();
    c.beginPath();
    c.rect(GUTTER, TOP + BAND, width - GUTTER, height);
    c.clip();
    const h = rowHeight();
    const bar = Math.min(22, h - 6);
    c.font = FONT;
    const firstRow = Math.max(0, Math.floor((scroll - BAND) / h));
    const lastRow = Math.min(lanes.rows.length, Math.ceil((scroll + height - TOP) / h));
    for (let r = firstRow; r < lastRow; ++r) {
      const row = lanes.rows[r];
      const y = yOf(r) + (h - bar) / 2;
      const [first, last] = visible(row, view.from, view.to);
      if (last - first > innerWidth() / 4) {
        drawDensity(c, row, first, last, y, bar);
        for (const i of run.guilty) if (lanes.rowOf[i] === r) drawBar(c, i, y, bar);
        if (view.selected >= 0 && lanes.rowOf[view.selected] === r) drawBar(c, view.selected, y, bar);
      } else {
        for (let k = first; k < last; ++k) drawBar(c, lanes.list[row.offset + k], y, bar);
      }
    }
    c.restore();
    if (view.cursor !== null) {
      c.fillStyle = view.color('soft');
      c.fillRect(xOf(view.cursor), TOP, 1, height);
    }
    c.restore();
    // The names of the lanes.
    c.save();
    c.beginPath();
    c.rect(0, TOP + BAND, GUTTER, height);
    c.clip();
    c.font = SANS;
    for (let r = firstRow; r < lastRow; ++r) {
      const row = lanes.rows[r];
      if (!row.first) continue;
      const y = yOf(r);
      c.fillStyle = view.color('line');
      c.fillRect(0, y, GUTTER, 1);
      c.fillStyle = view.color('soft');
      c.fillText(row.name.length > 14 ? row.name.slice(0, 13) + '…' : row.name, 10, y + h / 2 + 4);
    }
    c.restore();
    if (maxScroll() > 0) {
      const room = height - TOP - BAND - 4;
      const all = lanes.rows.length * h;
      c.fillStyle = view.color('soft');
      c.globalAlpha = 0.5;
      c.fillRect(width - 5, TOP + BAND + 2 + scroll / all * room, 3, Math.max(20, room * room / all));
      c.globalAlpha = 1;
    }
  });

  function operationUnder(x, y) {
    const r = Math.floor((y - TOP - BAND + scroll) / rowHeight());
    if (x < GUTTER || y < TOP + BAND || r < 0 || r >= lanes.rows.length) return -1;
    const row = lanes.rows[r];
    const slack = (view.to - view.from) / innerWidth() * 4;
    const [first, last] = visible(row, tOf(x) - slack, tOf(x) + slack);
    return first < last ? lanes.list[row.offset + first] : -1;
  }

  function showTip(i, x, y) {
    if (!tip) {
      tip = element('div', { class: 'tip', role: 'tooltip' });
      document.body.append(tip);
    }
    tip.hidden = i < 0;
    if (i < 0) return;
    const lines = operationLines(run, i);
    tip.replaceChildren(element('b', { text: shorten(lines[0], 300) }), ...lines.slice(1).map((text) => element('span', { text: shorten(text, 300) })));
    const box = tip.getBoundingClientRect();
    tip.style.left = Math.max(4, Math.min(x + 14, innerWidthOfWindow() - box.width - 8)) + 'px';
    tip.style.top = (y + 18 + box.height > window.innerHeight ? y - box.height - 12 : y + 18) + 'px';
  }
  const innerWidthOfWindow = () => document.documentElement.clientWidth;

  // Scrolls the lanes until the operation's row can be seen.
  function revealRow(i) {
    if (i < 0) return;
    const y = lanes.rowOf[i] * rowHeight();
    const room = canvas.clientHeight - TOP - BAND - 4;
    if (y < scroll) scroll = y;
    else if (y + rowHeight() > scroll + room) scroll = y + rowHeight() - room;
  }

  // Dragging moves, a click without dragging selects.
  let drag = null;
  canvas.addEventListener('pointerdown', (event) => {
    drag = { x: event.clientX, y: event.clientY, from: view.from, to: view.to, scroll, moved: false };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener('pointermove', (event) => {
    const box = canvas.getBoundingClientRect();
    if (drag) {
      const dx = event.clientX - drag.x;
      const dy = event.clientY - drag.y;
      if (Math.abs(dx) + Math.abs(dy) > 4) drag.moved = true;
      if (drag.moved) {
        const by = dx / innerWidth() * (drag.to - drag.from);
        scroll = drag.scroll - dy;
        showTip(-1);
        view.setRange(drag.from - by, drag.to - by);
      }
      return;
    }
    const x = event.clientX - box.left;
    showTip(operationUnder(x, event.clientY - box.top), event.clientX, event.clientY);
    view.setCursor(x >= GUTTER ? tOf(x) : null);
  });
  canvas.addEventListener('pointerup', (event) => {
    const box = canvas.getBoundingClientRect();
    if (drag && !drag.moved) view.select(operationUnder(event.clientX - box.left, event.clientY - box.top), false);
    drag = null;
  });
  canvas.addEventListener('pointercancel', () => { drag = null; });
  canvas.addEventListener('pointerleave', () => { showTip(-1); view.setCursor(null); });
  // The wheel zooms once the timeline has the focus, so that scrolling the page past it does not get caught.
  canvas.addEventListener('wheel', (event) => {
    if (document.activeElement !== canvas && !event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    if (event.shiftKey) { scroll += event.deltaY || event.deltaX; draw(); return; }
    if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) { view.pan(event.deltaX / innerWidth()); return; }
    view.zoom(Math.exp(Math.max(-1, Math.min(1, event.deltaY / 300))), tOf(event.clientX - canvas.getBoundingClientRect().left));
  }, { passive: false });
  canvas.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const actions = {
      ArrowLeft: () => view.pan(-0.15), ArrowRight: () => view.pan(0.15),
      ArrowUp: () => { scroll -= rowHeight() * 2; draw(); }, ArrowDown: () => { scroll += rowHeight() * 2; draw(); },
      '+': () => view.zoom(0.6), '=': () => view.zoom(0.6), '-': () => view.zoom(1 / 0.6),
      0: () => view.showAll(), c: () => view.showGuilty(),
      '.': () => step(1), ',': () => step(-1),
      Home: () => view.setRange(0, view.to - view.from), End: () => view.setRange(view.limit() - (view.to - view.from), view.limit()),
      Enter: () => document.getElementById('operations').scrollIntoView(),
      Escape: () => view.select(-1, false),
    };
    const action = actions[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  });
  function step(by) {
    let i = view.selected + by;
    if (view.selected < 0) i = search(0, run.n, (k) => view.starts()[k] >= view.from);
    if (i >= 0 && i < run.n) view.select(i, true);
  }

  view.on('range', draw);
  view.on('cursor', draw);
  view.on('theme', draw);
  view.on('select', () => { revealRow(view.selected); draw(); });
  view.on('guilty', () => {
    const first = run.cases[view.case][0];
    scroll = lanes.rowOf[first] * rowHeight() - (canvas.clientHeight - TOP - BAND) / 2;
    draw();
  });
  view.on('layout', () => {
    lanes = makeLanes(view);
    fit();
    scroll = 0;
    revealRow(view.selected >= 0 ? view.selected : run.cases.length ? run.cases[view.case][0] : -1);
    draw();
  });
  new ResizeObserver(draw).observe(canvas);
}

function shorten(text, limit) { return text.length > limit ? text.slice(0, limit - 1) + '…' : text; }

// What there is to say about an operation, a line each.
function operationLines(run, i) {
  const node = nodeOf(run, run.process[i]);
  const lines = [operationText(run, i)];
  const never = run.completion[i] === NO_EVENT;
  lines.push(OUTCOMES[run.outcome[i]] + (never ? ', no completion' : '') + ' · process ' + processName(run, run.process[i]) +
    (node ? ' on ' + node : '') + ' · index ' + run.index[i]);
  if (run.timed) {
    lines.push('invoked at ' + timeText(run.start[i], 1e3) + (never ? '' : ', took ' + durationText(run.end[i] - run.start[i])));
  }
  if (run.error[i]) lines.push(run.errors.get(run.error[i]));
  return lines;
}
