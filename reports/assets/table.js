// The table of operations: only the rows in sight exist, whatever the length. Filters look at columns; texts are
// searched once for each distinct text, not for each operation.

const ROW = 27;
// Browsers draw nothing beyond some 16 to 33 million pixels; longer tables scroll in proportion.
const TALLEST = 8e6;

const asNil = (text) => (text === 'null' ? 'nil' : text);

function makeTable(view) {
  const { run } = view;
  const box = document.getElementById('table-view');
  const space = document.getElementById('table-space');
  const rows = document.getElementById('table-rows');
  const head = document.getElementById('table-head');
  const tools = document.getElementById('table-tools');
  const columns = ['Index', 'Invoked', 'Took', 'Process', 'Function', 'Outcome', 'Key', 'Request', 'Response', 'Error'];
  head.append(...columns.map((text) => element('span', { text })));
  const detail = element('dl', { class: 'tree', id: 'operation-detail', 'aria-live': 'polite' });
  box.parentElement.after(detail);

  let shown = new Uint32Array(0);  // the operations that pass the filters
  const all = Uint32Array.from({ length: run.n }, (_, i) => i);

  // ---- filters
  const field = (label, input) => element('label', {}, label, input);
  const fn = element('select', { 'aria-label': 'Function' }, element('option', { value: '', text: 'all functions' }));
  const used = new Set(run.fn);
  run.head.functions.forEach((name, k) => { if (used.has(k)) fn.append(element('option', { value: String(k), text: name })); });
  const outcomes = OUTCOMES.map((name) => element('input', { type: 'checkbox', checked: true, 'aria-label': name }));
  const process = element('input', { type: 'text', class: 'short', inputmode: 'numeric', placeholder: 'any' });
  const key = element('input', { type: 'text', class: 'short', placeholder: 'any' });
  const text = element('input', { type: 'text', placeholder: 'in values and errors' });
  const inWindow = element('input', { type: 'checkbox' });
  const guilty = element('input', { type: 'checkbox' });
  const count = element('span', { role: 'status' });
  tools.append(fn, ...outcomes.map((input, k) => element('label', {}, input, element('span', { class: 'mark ' + OUTCOMES[k], text: OUTCOMES[k] }))),
    field('Process', process), field('Key', key), field('Text', text), field('', element('label', {}, inWindow, 'timeline’s window only')));
  if (run.guilty.size > 0) tools.append(element('label', {}, guilty, 'counterexample only'));
  tools.append(count);

  // For each text whether it passes; null when everything does.
  function passing(texts, wanted, whole) {
    if (!wanted) return null;
    const out = new Uint8Array(texts.size + 1);
    const low = wanted.toLowerCase();
    for (let k = 1; k <= texts.size; ++k) {
      const candidate = texts.get(k).toLowerCase();
      out[k] = (whole ? candidate === low : candidate.includes(low)) ? 1 : 0;
    }
    return out;
  }

  function filter() {
    const wantedFn = fn.value === '' ? -1 : Number(fn.value);
    const allowed = outcomes.map((input) => input.checked);
    const wantedProcess = process.value.trim();
    const keys = passing(run.keys, key.value.trim(), true);
    const values = passing(run.values, text.value, false);
    const errors = passing(run.errors, text.value, false);
    const windowed = inWindow.checked;
    const starts = view.starts();
    const ends = view.ends();
    const plain = wantedFn < 0 && allowed.every(Boolean) && !wantedProcess && !keys && !values && !windowed && !guilty.checked;
    if (plain) {
      shown = all;
    } else {
      const out = new Uint32Array(run.n);
      let found = 0;
      for (let i = 0; i < run.n; ++i) {
        if (wantedFn >= 0 && run.fn[i] !== wantedFn) continue;
        if (!allowed[run.outcome[i]]) continue;
        if (guilty.checked && !run.guilty.has(i)) continue;
        if (wantedProcess && processName(run, run.process[i]) !== wantedProcess) continue;
        if (keys && !keys[run.key[i]]) continue;
        if (values && !values[run.request[i]] && !values[run.response[i]] && !errors[run.error[i]]) continue;
        if (windowed && (ends[i] < view.from || starts[i] > view.to)) continue;
        out[found++] = i;
      }
      shown = out.subarray(0, found);
    }
    count.textContent = shown.length === run.n ? grouped(run.n) + ' operations' : grouped(shown.length) + ' of ' + grouped(run.n);
    space.style.height = Math.min(TALLEST, shown.length * ROW) + 'px';
    draw();
  }

  // ---- rows
  const height = () => Math.min(TALLEST, shown.length * ROW);
  const perView = () => Math.ceil(box.clientHeight / ROW) + 1;
  // The first row in sight. Below TALLEST it is the place scrolled to, beyond it its share of the way.
  function firstRow() {
    if (height() < TALLEST) return Math.floor(box.scrollTop / ROW);
    const way = Math.max(1, height() - box.clientHeight);
    return Math.floor(box.scrollTop / way * Math.max(0, shown.length - perView() + 1));
  }

  function cells(i) {
    const never = run.completion[i] === NO_EVENT;
    const cell = (value, mono) => {
      const short = shorten(value, 200);
      return element('span', mono ? { class: 'mono', text: short, title: shorten(value, 1000) } : { text: short });
    };
    const response = run.response[i] ? run.values.get(run.response[i]) : '';
    const node = nodeOf(run, run.process[i]);
    const outcome = OUTCOMES[run.outcome[i]];
    return [cell(String(run.index[i])), cell(run.timed ? timeText(run.start[i], 1e6) : '–'),
      cell(run.timed && !never ? durationText(run.end[i] - run.start[i]) : '–'),
      cell(processName(run, run.process[i]) + (node ? ' · ' + node : '')), cell(run.head.functions[run.fn[i]]),
      element('span', { class: 'mark ' + outcome, text: outcome }), cell(run.keys.get(run.key[i]), true),
      cell(asNil(run.values.get(run.request[i])), true), cell(asNil(response), true),
      cell(never ? 'no completion' : run.errors.get(run.error[i]))];
  }

  const draw = onFrame(() => {
    const first = Math.max(0, Math.min(firstRow(), shown.length - 1));
    const last = Math.min(shown.length, first + perView());
    const made = [];
    for (let r = first; r < last; ++r) {
      const i = shown[r];
      const row = element('div', { class: 'row' + (i === view.selected ? ' chosen' : '') + (run.guilty.has(i) ? ' guilty' : '') }, ...cells(i));
      row.addEventListener('click', () => { fromTable = true; view.select(i, true); fromTable = false; });
      made.push(row);
    }
    rows.style.top = (height() < TALLEST ? first * ROW : Math.min(box.scrollTop, Math.max(0, TALLEST - made.length * ROW))) + 'px';
    rows.replaceChildren(...made);
    head.style.transform = 'translateX(' + -box.scrollLeft + 'px)';
  });

  let fromTable = false;
  function reveal() {
    if (view.selected >= 0 && !fromTable) {
      const at = search(0, shown.length, (k) => shown[k] >= view.selected);
      if (at < shown.length && shown[at] === view.selected) {
        const first = firstRow();
        if (at < first || at >= first + perView() - 2) {
          const wanted = Math.max(0, at - Math.floor(perView() / 2));
          box.scrollTop = height() < TALLEST ? wanted * ROW
            : wanted / Math.max(1, shown.length - perView() + 1) * (height() - box.clientHeight);
        }
      }
    }
    describe();
    draw();
  }

  // Everything about the selected operation, nothing cut off but what the page itself does not hold.
  function describe() {
    const i = view.selected;
    const line = document.getElementById('selection');
    line.textContent = i < 0 ? '' : operationLines(run, i).slice(0, 2).map((part) => shorten(part, 120)).join(' · ');
    if (i < 0) { detail.replaceChildren(); return; }
    const entries = [['Operation', operationText(run, i)], ['Request', asNil(run.values.get(run.request[i]))],
      ['Response', run.response[i] ? asNil(run.values.get(run.response[i])) : '–'], ['Error', run.errors.get(run.error[i]) || '–'],
      ['When', operationLines(run, i).slice(1, 3).join(' · ')]];
    detail.replaceChildren(...entries.flatMap(([name, value]) => [element('dt', { text: name }), element('dd', {}, element('code', { text: value }))]));
  }

  tools.addEventListener('submit', (event) => event.preventDefault());
  tools.addEventListener('change', filter);
  let timer = 0;
  tools.addEventListener('input', () => { clearTimeout(timer); timer = setTimeout(filter, 150); });
  box.addEventListener('scroll', draw);
  box.addEventListener('keydown', (event) => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!by || view.selected < 0) return;
    const at = search(0, shown.length, (k) => shown[k] >= view.selected) + by;
    if (at < 0 || at >= shown.length) return;
    event.preventDefault();
    view.select(shown[at], true);
  });
  let rangeTimer = 0;
  view.on('range', () => {
    if (!inWindow.checked) return;
    clearTimeout(rangeTimer);
    rangeTimer = setTimeout(filter, 120);
  });
  view.on('select', reveal);
  new ResizeObserver(draw).observe(box);
  filter();
}
