// Puts the living parts into the page. Everything that matters has been readable before this runs.

function timelineTools(view) {
  const { run } = view;
  const box = document.getElementById('timeline-tools');
  const choices = (label, current, options, choose) => {
    const group = element('span', { class: 'group', role: 'group', 'aria-label': label });
    const buttons = options.map(([value, text]) => element('button', { type: 'button', text, onclick: () => choose(value) }));
    group.append(...buttons);
    const mark = () => buttons.forEach((button, k) => button.setAttribute('aria-pressed', String(options[k][0] === current())));
    mark();
    view.on('layout', mark);
    return group;
  };
  const lanes = [['process', 'Process'], ['key', 'Key']];
  if (run.head.workers.length > 0) {
    lanes.unshift(['worker', 'Worker']);
    lanes.push(['node', 'Node']);
  }
  box.append('Lanes', choices('Lanes', () => view.lanes, lanes, (value) => view.setLanes(value)));
  if (run.timed) {
    box.append('Axis', choices('Axis', () => view.axis, [['time', 'Real time'], ['order', 'Order']], (value) => view.setAxis(value)));
  }
  box.append(element('span', { class: 'group' },
    element('button', { type: 'button', text: '−', 'aria-label': 'Zoom out', onclick: () => view.zoom(2) }),
    element('button', { type: 'button', text: '+', 'aria-label': 'Zoom in', onclick: () => view.zoom(0.5) }),
    element('button', { type: 'button', text: 'Whole run', onclick: () => view.showAll() })));
  if (run.guilty.size > 0) {
    const button = element('button', { type: 'button', text: 'Counterexample', onclick: () => view.showGuilty() });
    view.on('guilty', () => {
      if (run.cases.length > 1) button.textContent = 'Counterexample ' + (view.case + 1) + ' of ' + run.cases.length;
    });
    box.append(button);
    const dim = element('input', { type: 'checkbox', checked: view.dim });
    dim.addEventListener('change', () => { view.dim = dim.checked; view.emit('range'); });
    box.append(element('label', {}, dim, 'fade the others'));
  }
  box.append(...OUTCOMES.map((name) => element('span', { class: 'mark ' + name, text: name })),
    element('span', { text: 'Wheel zooms after a click, or with Ctrl.' }));
}

// Operations named in the explanation lead to the timeline.
function linkPictures(view) {
  for (const node of document.querySelectorAll('[data-event]')) {
    const go = () => {
      const i = operationAt(view.run, Number(node.getAttribute('data-event')));
      if (i < 0) return;
      view.select(i, true);
      document.getElementById('timeline').scrollIntoView();
    };
    node.addEventListener('click', go);
    node.addEventListener('keydown', (event) => { if (event.key === 'Enter') go(); });
  }
}

function copyButton() {
  const command = document.getElementById('command');
  if (!command) return;
  const button = element('button', { type: 'button', text: 'Copy' });
  button.addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(command.textContent);
      button.textContent = 'Copied';
    } catch (error) {
      // No clipboard for pages from disk: select it instead.
      const range = document.createRange();
      range.selectNodeContents(command);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      button.textContent = 'Selected';
    }
    setTimeout(() => { button.textContent = 'Copy'; }, 1500);
  });
  command.parentElement.append(button);
}

// Lines of logs that begin with, or soon hold, an ISO time: the last one before the selected operation is marked.
function linkLogs(view) {
  const started = Date.parse(view.run.head.started);
  if (!view.run.timed || Number.isNaN(started)) return;
  const logs = [];
  for (const details of document.querySelectorAll('details.log')) {
    const pre = details.querySelector('pre');
    const lines = pre.textContent.split('\n');
    const times = lines.map((line) => {
      const found = /\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)?/.exec(line.slice(0, 400));
      if (!found) return NaN;
      return (Date.parse(found[0].replace(' ', 'T') + (found[2] ? '' : 'Z')) - started) * 1e6;
    });
    if (times.some((time) => !Number.isNaN(time))) logs.push({ pre, lines, times });
  }
  view.on('select', () => {
    if (view.selected < 0) return;
    const at = view.run.start[view.selected];
    for (const { pre, lines, times } of logs) {
      let last = -1;
      for (let k = 0; k < times.length; ++k) if (times[k] <= at) last = k;
      const text = (from, to) => document.createTextNode(lines.slice(from, to).map((line) => line + '\n').join(''));
      if (last < 0) { pre.replaceChildren(text(0, lines.length)); continue; }
      const mark = element('mark', { text: lines[last] });
      pre.replaceChildren(text(0, last), mark, '\n', text(last + 1, lines.length));
      pre.scrollTop = mark.offsetTop - pre.offsetTop - pre.clientHeight / 2;
    }
  });
}

async function start() {
  document.documentElement.classList.add('scripted');
  copyButton();
  const packed = document.getElementById('packed');
  if (!packed) return;
  if (typeof DecompressionStream === 'undefined') {
    for (const box of document.querySelectorAll('.needs-script')) {
      box.replaceChildren(element('p', { class: 'note', text: 'This browser cannot unpack the operations (no DecompressionStream); any browser since 2023 can.' }));
    }
    return;
  }
  const run = await loadRun(packed.textContent);
  packed.remove();
  if (run.n === 0) return;
  const view = makeView(run);
  timelineTools(view);
  makeTimeline(view);
  makeOverview(view);
  if (run.timed) {
    makeLatency(view);
    makeRate(view);
    makeClocks(view);
  }
  makeTable(view);
  linkPictures(view);
  linkLogs(view);
  if (!loadHash(view)) view.showGuilty();
  if (view.selected < 0 && run.guilty.size > 0 && !location.hash.includes('op=')) view.select(run.cases[0][run.cases[0].length - 1], false);
  view.ready = true;
  addEventListener('hashchange', () => loadHash(view));
  document.documentElement.dataset.ready = 'yes';
}

start().catch((error) => {
  for (const box of document.querySelectorAll('.needs-script')) {
    box.prepend(element('p', { class: 'note', text: 'The operations could not be shown: ' + error.message }));
  }
});
