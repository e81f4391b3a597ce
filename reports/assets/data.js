// The operations of the run, unpacked from the page (reports/columns.h describes the format).
//
// Numbers live in typed arrays and texts stay bytes until they are shown, so that a million operations take some tens
// of megabytes. Nothing in here, or in any other script of the page, makes markup out of data: textContent and
// canvas text only.

const NO_EVENT = 0xFFFFFFFF;
const OUTCOMES = ['ok', 'fail', 'info'];

// Control characters as their pictures, and those that turn the writing direction as their numbers, as html_text does.
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;
function visible(text) {
  return text.replace(UNSEEN, (c) => {
    const code = c.codePointAt(0);
    return code < 0x20 ? String.fromCodePoint(0x2400 + code) : '⟨U+' + code.toString(16).toUpperCase().padStart(4, '0') + '⟩';
  });
}

// Texts by number, counted from 1; 0 is none.
class Texts {
  constructor(bytes, lengths) {
    this.bytes = bytes;
    const reader = new Numbers(lengths);
    const offsets = [0];
    while (!reader.done()) offsets.push(offsets[offsets.length - 1] + reader.next());
    this.offsets = Float64Array.from(offsets);
    this.decoder = new TextDecoder();
  }
  get size() { return this.offsets.length - 1; }
  get(number) {
    if (number === 0) return '';
    return visible(this.decoder.decode(this.bytes.subarray(this.offsets[number - 1], this.offsets[number])));
  }
}

// LEB128 numbers, one after the other; exact up to 2^53.
class Numbers {
  constructor(bytes) { this.bytes = bytes; this.at = 0; }
  done() { return this.at >= this.bytes.length; }
  next() {
    let byte = this.bytes[this.at++];
    if (byte < 128) return byte;
    let value = byte & 127;
    let scale = 128;
    do {
      byte = this.bytes[this.at++];
      value += (byte & 127) * scale;
      scale *= 128;
    } while (byte >= 128);
    return value;
  }
  signed() {
    const value = this.next();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }
}

async function unpack(base64) {
  let bytes;
  if (Uint8Array.fromBase64) {
    bytes = Uint8Array.fromBase64(base64);
  } else {
    const binary = atob(base64);
    bytes = new Uint8Array(binary.length);
    for (let i = 0; i < binary.length; ++i) bytes[i] = binary.charCodeAt(i);
  }
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// Fills an array with what `read` makes of each number of a column.
function column(bytes, array, read) {
  const reader = new Numbers(bytes);
  for (let i = 0; i < array.length; ++i) array[i] = read(reader, i);
  return array;
}

async function loadRun(base64) {
  const raw = await unpack(base64);
  const headLength = new DataView(raw.buffer).getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(raw.subarray(4, 4 + headLength)));
  const section = (name) => {
    const [offset, length] = head.columns[name];
    return raw.subarray(4 + headLength + offset, 4 + headLength + offset + length);
  };
  const texts = (name) => new Texts(section(name + '_bytes'), section(name + '_lengths'));
  const n = head.operations;
  head.functions = head.functions.map(visible);
  const run = { n, head, keys: texts('key'), values: texts('value'), errors: texts('error') };
  let last = 0;
  run.place = column(section('place'), new Uint32Array(n), (r) => (last += r.next()));
  run.completion = column(section('completion'), new Uint32Array(n), (r, i) => {
    const distance = r.next();
    return distance === 0 ? NO_EVENT : run.place[i] + distance;
  });
  last = 0;
  run.start = column(section('time'), new Float64Array(n), (r) => (last += r.next()));
  // An operation that never completed is drawn as a mark at its start: nobody knows how long it was.
  run.end = column(section('duration'), new Float64Array(n), (r, i) => {
    const duration = r.next();
    return run.start[i] + Math.max(0, duration - 1);
  });
  run.outcome = section('outcome');
  run.process = column(section('process'), new Int32Array(n), (r) => r.signed());
  run.fn = column(section('function'), new Uint16Array(n), (r) => r.next());
  run.key = column(section('key'), new Uint32Array(n), (r) => r.next());
  run.request = column(section('request'), new Uint32Array(n), (r) => r.next());
  run.response = column(section('response'), new Uint32Array(n), (r) => r.next());
  run.error = column(section('error'), new Uint32Array(n), (r) => r.next());
  run.index = column(section('index'), new Float64Array(n), (r, i) => r.signed() + run.place[i]);
  // The same bars on the axis of order: places of events instead of times.
  run.orderStart = Float64Array.from(run.place);
  run.orderEnd = new Float64Array(n);
  for (let i = 0; i < n; ++i) run.orderEnd[i] = run.completion[i] === NO_EVENT ? run.place[i] : run.completion[i];
  run.timed = head.timed;
  // The counterexamples, each as its operations, and all of those together.
  run.cases = head.anomalies.map((anomaly) => anomaly.events.map((event) => operationAt(run, event)).filter((i) => i >= 0))
    .filter((operations) => operations.length > 0);
  run.guilty = new Set(run.cases.flat());
  return run;
}

// The first position in [from, to) at which `past` holds; `past` must go from false to true once.
function search(from, to, past) {
  while (from < to) {
    const middle = (from + to) >>> 1;
    if (past(middle)) to = middle;
    else from = middle + 1;
  }
  return from;
}

// The operation whose invocation is at this place of the history, -1 if there is none.
function operationAt(run, event) {
  const i = search(0, run.n, (k) => run.place[k] >= event);
  return i < run.n && run.place[i] === event ? i : -1;
}

function processName(run, process) {
  return process >= 0 ? String(process) : run.head.processes[String(process)] || String(process);
}

function nodeOf(run, process) {
  const workers = run.head.workers;
  return workers.length > 0 && process >= 0 ? workers[process % workers.length] : '';
}

// "read k7 → 3": what stands on a bar.
function operationText(run, i) {
  let out = run.head.functions[run.fn[i]];
  if (run.key[i]) out += ' ' + run.keys.get(run.key[i]);
  const request = run.values.get(run.request[i]);
  if (request && request !== 'null') out += ' ' + request;
  if (run.outcome[i] === 0 && run.response[i] && (run.response[i] !== run.request[i] || request === 'null')) {
    const response = run.values.get(run.response[i]);
    out += ' → ' + (response === 'null' ? 'nil' : response);
  }
  return out;
}

// ---- numbers for people

function durationText(ns) {
  if (ns < 1e3) return ns.toFixed(0) + ' ns';
  if (ns < 1e6) return Number((ns / 1e3).toPrecision(3)) + ' µs';
  if (ns < 1e9) return Number((ns / 1e6).toPrecision(3)) + ' ms';
  return Number((ns / 1e9).toPrecision(3)) + ' s';
}

// A point in time; `step` is the distance that must still be told apart.
function timeText(ns, step) {
  const decimals = Math.min(9, Math.max(0, Math.ceil(-Math.log10(step / 1e9))));
  return (ns / 1e9).toFixed(decimals) + ' s';
}

function grouped(number) { return Math.round(number).toLocaleString('en-US'); }
