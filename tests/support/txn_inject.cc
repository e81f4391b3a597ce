#include "support/txn_inject.h"

#include <algorithm>
#include <functional>
#include <map>
#include <stdexcept>

namespace ordeal::testing_support {
namespace {

// How one transaction of a circle comes before the next: it is overwritten, it is read, it missed a write, or it ended
// before.
enum class Kind { ww, wr, rw, process, realtime };

class Maker {
 public:
  Maker(bool lists, std::mt19937_64& chance) : lists_(lists), chance_(chance) {}

  // A transaction that runs all the time, unless it is put elsewhere.
  std::size_t add(std::vector<OracleOp> ops, char outcome = 'o') {
    OracleTxn txn;
    txn.ops = std::move(ops);
    txn.process = static_cast<int>(out_.size());
    txn.begin = kStart;
    txn.end = kEnd;
    txn.outcome = outcome;
    out_.push_back(std::move(txn));
    return out_.size() - 1;
  }
  OracleOp write(int key) { return {lists_ ? 'a' : 'w', key, ++value_, {}}; }
  OracleOp write(int key, int value) { return {lists_ ? 'a' : 'w', key, value, {}}; }
  // What is read when these were written in this order.
  OracleOp read(int key, std::vector<int> values = {}) const {
    if (!lists_ && values.size() > 1) values.erase(values.begin(), values.end() - 1);
    return {'r', key, 0, std::move(values)};
  }
  int key() { return next_key_++; }
  int value() { return ++value_; }
  std::size_t below(std::size_t n) { return static_cast<std::size_t>(chance_() % n); }
  bool coin() { return below(2) == 0; }

  // `a` ends before `b` begins, in one process or in two.
  void before(std::size_t a, std::size_t b, bool same_process) {
    out_[a].end = std::min(out_[a].end, kMiddle + 10 * moments_);
    out_[b].begin = kMiddle + 10 * moments_ + 5;
    if (same_process) out_[b].process = out_[a].process;
    ++moments_;
  }
  std::vector<OracleOp>& ops(std::size_t t) { return out_[t].ops; }
  void put(std::size_t t, OracleOp op) {
    auto& all = out_[t].ops;
    all.insert(all.begin() + static_cast<std::ptrdiff_t>(below(all.size() + 1)), std::move(op));
  }

  OracleHistory done() {
    // Beside the point: reads of keys that nobody writes, writes that nobody reads.
    for (OracleTxn& txn : out_) {
      if (txn.ops.empty() || below(3) == 0) txn.ops.push_back(read(key()));
      const bool only_reads =
          std::all_of(txn.ops.begin(), txn.ops.end(), [](const OracleOp& op) { return op.f == 'r'; });
      if (!only_reads && below(3) == 0) txn.ops.push_back(write(key()));
    }
    // One moment for each event, in the order of times, at random among equals.
    std::vector<std::pair<std::pair<int, std::uint64_t>, int*>> events;
    for (OracleTxn& txn : out_) {
      events.push_back({{txn.begin, chance_()}, &txn.begin});
      events.push_back({{txn.end, chance_()}, &txn.end});
    }
    std::sort(events.begin(), events.end());
    for (std::size_t i = 0; i < events.size(); ++i) *events[i].second = static_cast<int>(i);
    std::sort(out_.begin(), out_.end(), [](const OracleTxn& a, const OracleTxn& b) { return a.begin < b.begin; });
    return std::move(out_);
  }

  void circle(const std::vector<Kind>& kinds) {
    const std::size_t n = kinds.size(), first = out_.size();
    for (std::size_t i = 0; i < n; ++i) add({});
    for (std::size_t i = 0; i < n; ++i) edge(kinds[i], first + i, first + (i + 1) % n);
  }

  void edge(Kind kind, std::size_t a, std::size_t b) {
    const int k = key();
    switch (kind) {
      case Kind::ww: {
        const int one = value(), two = value();
        put(a, write(k, one));
        if (lists_) {
          put(b, write(k, two));
          add({read(k, {one, two})});
        } else {
          // Only who read a version shows that it is the one before.
          const std::size_t at = below(ops(b).size() + 1);
          ops(b).insert(ops(b).begin() + static_cast<std::ptrdiff_t>(at), {read(k, {one}), write(k, two)});
        }
        break;
      }
      case Kind::wr: {
        const int one = value();
        put(a, write(k, one));
        put(b, read(k, {one}));
        break;
      }
      case Kind::rw:
        put(a, read(k));
        put(b, write(k));
        break;
      case Kind::process:
        before(a, b, true);
        break;
      case Kind::realtime:
        before(a, b, false);
        break;
    }
  }
  Kind dependency() { return coin() ? Kind::ww : Kind::wr; }

 private:
  static constexpr int kStart = 0, kMiddle = 1000, kEnd = 1'000'000;
  bool lists_;
  std::mt19937_64& chance_;
  OracleHistory out_;
  int next_key_ = 0, value_ = 0, moments_ = 0;
};

// A circle of Adya's, with one edge of sessions or time when `timed`.
void adya(Maker& make, const std::string& base, std::optional<Kind> timed) {
  std::vector<Kind> kinds;
  const auto dependencies = [&](std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) kinds.push_back(make.dependency());
  };
  if (base == "G0") {
    kinds.assign(timed ? 1 + make.below(2) : 2 + make.below(3), Kind::ww);
  } else if (base == "G1c") {
    kinds.push_back(Kind::wr);
    dependencies(timed ? make.below(2) : 1 + make.below(3));
  } else if (base == "G-single") {
    kinds.push_back(Kind::rw);
    dependencies(timed ? make.below(3) : 1 + make.below(3));
  } else if (base == "G-nonadjacent" || base == "G-prefix") {
    for (std::size_t rws = 2 + make.below(2); rws > 0; --rws) {
      if (base == "G-prefix")
        kinds.push_back(Kind::wr);
      else
        dependencies(1 + make.below(2));
      kinds.push_back(Kind::rw);
    }
    // One of those before an anti-dependency, which is not the only one there, becomes time or session.
    if (timed) kinds[0] = *timed;
    return make.circle(kinds);
  } else {  // G2-item, G-update
    kinds = {Kind::rw, Kind::rw};
    if (base == "G2-item") dependencies(make.below(3));
  }
  if (timed) kinds.push_back(*timed);
  make.circle(kinds);
}

// The others, one function each.
using Make = std::function<void(Maker&)>;

void internal(Maker& make) {
  const int k = make.key();
  const OracleOp mine = make.write(k);
  make.add({mine, make.read(k)});
}
void aborted(Maker& make, bool on_top) {
  const int k = make.key();
  const OracleOp lost = make.write(k), kept = make.write(k);
  make.add({lost}, 'f');
  if (on_top) make.add({kept});
  make.add({on_top ? make.read(k, {lost.value, kept.value}) : make.read(k, {lost.value})});
}
void intermediate(Maker& make) {
  const int k = make.key();
  const OracleOp one = make.write(k), two = make.write(k);
  make.add({one, two}, make.coin() ? 'o' : 'i');
  make.add({make.read(k, {one.value})});
}
void lost_update(Maker& make) {
  const int k = make.key();
  const OracleOp base = make.write(k);
  const bool first = make.coin();
  if (!first) make.add({base});
  for (std::size_t n = 2 + make.below(2); n > 0; --n)
    make.add({first ? make.read(k) : make.read(k, {base.value}), make.write(k)});
}
void duplicate(Maker& make) {
  const int k = make.key();
  const OracleOp one = make.write(k), two = make.write(k);
  make.add({one, two});
  make.add({make.read(k, make.coin() ? std::vector<int>{one.value, two.value, one.value}
                                     : std::vector<int>{one.value, two.value, two.value})});
}
void garbage(Maker& make) { make.add({make.read(make.key(), {make.value()})}); }
void incompatible(Maker& make) {
  const int k = make.key();
  const OracleOp base = make.write(k), one = make.write(k), two = make.write(k);
  make.add({base});
  make.add({one});
  make.add({two});
  make.add({make.read(k, {base.value, one.value, two.value})});
  make.add({make.coin() ? make.read(k, {base.value, two.value}) : make.read(k, {base.value, two.value, one.value})});
}
void future(Maker& make) {
  const int k = make.key();
  const OracleOp mine = make.write(k);
  make.add({make.read(k, {mine.value}), mine});
}
void cyclic_versions(Maker& make) {
  const int k = make.key();
  std::vector<int> values;
  for (std::size_t n = 2 + make.below(3); n > 0; --n) values.push_back(make.value());
  for (std::size_t i = 0; i < values.size(); ++i)
    make.add({make.read(k, {values[i]}), make.write(k, values[(i + 1) % values.size()])});
}
// A transaction saw one of two writes and, later or earlier in its order, not the other.
void torn(Maker& make, bool monotonic) {
  const int x = make.key(), y = make.key();
  const OracleOp one = make.write(x), two = make.write(y);
  make.add({one, two});
  if (monotonic)
    make.add({make.read(x), make.read(y, {two.value})});
  else
    make.add({make.read(y, {two.value}), make.read(x)});
}
// The second overwrote the first, as sessions or time show, and a transaction that saw the second goes back.
void back_again(Maker& make, bool same_process) {
  const int x = make.key(), y = make.key();
  const OracleOp one = make.write(x), two = make.write(x), seen = make.write(y);
  const std::size_t a = make.add({one}), b = make.add({two, seen});
  make.before(a, b, same_process);
  make.add({make.read(y, {seen.value}), make.read(x, {one.value})});
}
void missed_ended(Maker& make) {
  const int x = make.key();
  const std::size_t a = make.add({make.write(x)}), b = make.add({make.read(x)});
  make.before(a, b, false);
}
void session(Maker& make) {
  const int x = make.key(), y = make.key();
  const OracleOp seen = make.write(y);
  const std::size_t a = make.add({make.write(x)}), b = make.add({seen});
  make.before(a, b, true);
  const std::size_t c = make.add({make.read(y, {seen.value})});
  if (make.coin()) {
    const std::size_t d = make.add({make.read(x)});
    make.before(c, d, true);
  } else {
    make.put(c, make.read(x));
  }
}
void session_in_time(Maker& make) {
  const int x = make.key(), y = make.key();
  const OracleOp seen = make.write(y);
  make.add({make.write(x), seen});
  const std::size_t a = make.add({make.read(y, {seen.value})}), b = make.add({make.read(x)});
  make.before(a, b, false);
}
void causes(Maker& make, bool in_time) {
  const int x = make.key();
  OracleOp seen = make.write(x);
  make.add({seen});
  for (std::size_t n = 1 + (in_time ? 0 : make.below(3)); n > 0; --n) {
    const OracleOp next = make.write(make.key());
    if (in_time) {
      const std::size_t a = make.add({make.read(seen.key, {seen.value})}), b = make.add({next});
      make.before(a, b, false);
    } else {
      make.add({make.read(seen.key, {seen.value}), next});
    }
    seen = next;
  }
  make.add({make.read(seen.key, {seen.value}), make.read(x)});
}
// Readers disagree on the order of two blind writes of two keys.
void disagreement(Maker& make) {
  const int x = make.key(), y = make.key();
  const OracleOp x1 = make.write(x), y1 = make.write(y), x2 = make.write(x), y2 = make.write(y);
  make.add({x1, y1});
  make.add({x2, y2});
  make.add({make.read(x, {x1.value}), make.read(y, {y2.value})});
  make.add({make.read(x, {x2.value}), make.read(y, {y1.value})});
}
// Blind writes of one key: either order closes a circle, over anti-dependencies in a row when `skew`, else over one.
void dilemma(Maker& make, bool skew) {
  const int x = make.key();
  const OracleOp one = make.write(x), two = make.write(x);
  const std::size_t a = make.add({one}), b = make.add({two});
  for (const auto& [own, seen] : {std::pair(b, one), std::pair(a, two)}) {
    const std::size_t reader = make.add({make.read(x, {seen.value})});
    make.edge(skew ? Kind::rw : Kind::wr, own, reader);
  }
}
// Two that read each other's past and write a key that nobody reads.
void skew_with_conflict(Maker& make) {
  const int x = make.key(), y = make.key(), z = make.key();
  make.add({make.read(x), make.write(y), make.write(z)});
  make.add({make.read(y), make.write(x), make.write(z)});
}

struct Entry {
  std::string name;
  bool lists, registers;
  Make make;
};

const std::vector<Entry>& entries() {
  static const std::vector<Entry> all = [] {
    std::vector<Entry> out;
    for (const std::string base : {"G0", "G1c", "G-single", "G-nonadjacent", "G2-item", "G-update", "G-prefix"}) {
      out.push_back({base, true, true, [base](Maker& make) { adya(make, base, std::nullopt); }});
      if (base != "G-prefix")
        out.push_back({base + "-process", true, true, [base](Maker& make) { adya(make, base, Kind::process); }});
      out.push_back({base + "-realtime", true, true, [base](Maker& make) { adya(make, base, Kind::realtime); }});
    }
    const std::vector<Entry> others = {
        {"internal", true, true, internal},
        {"G1a", true, true, [](Maker& make) { aborted(make, false); }},
        {"dirty-update", true, false, [](Maker& make) { aborted(make, true); }},
        {"G1b", true, true, intermediate},
        {"lost-update", true, true, lost_update},
        {"duplicate-elements", true, false, duplicate},
        {"garbage-read", true, true, garbage},
        {"incompatible-order", true, false, incompatible},
        {"future-read", true, true, future},
        {"cyclic-versions", false, true, cyclic_versions},
        {"non-monotonic-read", true, true, [](Maker& make) { torn(make, false); }},
        {"non-monotonic-read-process", false, true, [](Maker& make) { back_again(make, true); }},
        {"non-monotonic-read-realtime", false, true, [](Maker& make) { back_again(make, false); }},
        {"fractured-read", true, true, [](Maker& make) { torn(make, true); }},
        {"fractured-read-realtime", true, true, missed_ended},
        {"session-violation", true, true, session},
        {"session-violation-realtime", true, true, session_in_time},
        {"causality-violation", true, true, [](Maker& make) { causes(make, false); }},
        {"causality-violation-realtime", true, true, [](Maker& make) { causes(make, true); }},
        {"no-serial-order", false, true, disagreement},
        {"no-snapshot-order", true, false, skew_with_conflict},
        {"no-view-order", false, true, [](Maker& make) { dilemma(make, false); }},
        {"no-update-serial-order", false, true, [](Maker& make) { dilemma(make, true); }},
    };
    out.insert(out.end(), others.begin(), others.end());
    return out;
  }();
  return all;
}

}  // namespace

const std::vector<std::string>& makeable_anomalies() {
  static const std::vector<std::string> all = [] {
    std::vector<std::string> out;
    for (const Entry& one : entries()) out.push_back(one.name);
    return out;
  }();
  return all;
}

std::optional<OracleHistory> make_anomaly(const std::string& name, bool lists, std::mt19937_64& chance) {
  for (const Entry& one : entries()) {
    if (one.name != name) continue;
    if (lists ? !one.lists : !one.registers) return std::nullopt;
    Maker make(lists, chance);
    one.make(make);
    return make.done();
  }
  throw std::invalid_argument(name);
}

Injected inject(const OracleHistory& large, const OracleHistory& small, std::mt19937_64& chance) {
  int keys = 0, values = 0, processes = 0, last = 0;
  for (const OracleTxn& txn : large) {
    processes = std::max(processes, txn.process + 1);
    last = std::max(last, txn.end);
    for (const OracleOp& op : txn.ops) {
      keys = std::max(keys, op.key + 1);
      values = std::max(values, op.value + 1);
    }
  }
  // Events of `large` are at odd times; those of `small` at even ones, several at one, told apart below.
  std::vector<std::pair<int, int*>> events;
  OracleHistory moved = small;
  for (OracleTxn& txn : moved) {
    events.emplace_back(txn.begin, &txn.begin);
    events.emplace_back(txn.end, &txn.end);
    txn.process += processes;
    for (OracleOp& op : txn.ops) {
      op.key += keys;
      op.value += values;
      for (int& value : op.seen) value += values;
    }
  }
  std::sort(events.begin(), events.end());
  std::vector<int> places(events.size());
  for (int& place : places) place = static_cast<int>(chance() % static_cast<std::uint64_t>(last + 2));
  std::sort(places.begin(), places.end());
  const int step = static_cast<int>(events.size()) + 1;
  for (std::size_t i = 0; i < events.size(); ++i) *events[i].second = places[i] * step + static_cast<int>(i);
  Injected out{large, large.size()};
  for (OracleTxn& txn : out.history) {
    txn.begin = txn.begin * step + step - 1;
    txn.end = txn.end * step + step - 1;
  }
  out.history.insert(out.history.end(), moved.begin(), moved.end());
  return out;
}

std::optional<OracleHistory> falsified(const OracleHistory& history, const std::string& anomaly, bool lists,
                                       std::mt19937_64& chance) {
  const auto below = [&](std::size_t n) { return static_cast<std::size_t>(chance() % n); };
  OracleHistory out = history;
  // Writes of each key: those that failed, and those that their transaction followed by others.
  std::map<int, std::vector<int>> failed, replaced;
  for (const OracleTxn& txn : history) {
    std::map<int, int> last;
    for (const OracleOp& op : txn.ops) {
      if (op.f == 'r') continue;
      if (txn.outcome == 'f') failed[op.key].push_back(op.value);
      if (txn.outcome == 'o' && last.contains(op.key)) replaced[op.key].push_back(last[op.key]);
      last[op.key] = op.value;
    }
  }
  // Changes the read and says whether it was fit for that. Requires: `own` is what the transaction did to the key
  // before.
  const auto change = [&](std::size_t t, std::size_t i) {
    OracleTxn& txn = out[t];
    OracleOp& op = txn.ops[i];
    auto& seen = op.seen;
    const auto touched = [&](std::size_t from, std::size_t to, bool writes) {
      return std::any_of(txn.ops.begin() + static_cast<std::ptrdiff_t>(from),
                         txn.ops.begin() + static_cast<std::ptrdiff_t>(to),
                         [&](const OracleOp& other) { return other.key == op.key && (!writes || other.f != 'r'); });
    };
    if (anomaly == "internal") {
      if (!touched(0, i, true) || seen.empty()) return false;
      seen.pop_back();
      return true;
    }
    if (anomaly == "future-read") {
      for (std::size_t later = i + 1; later < txn.ops.size(); ++later) {
        if (txn.ops[later].f == 'r' || txn.ops[later].key != op.key) continue;
        if (lists)
          seen.push_back(txn.ops[later].value);
        else
          seen.assign(1, txn.ops[later].value);
        return true;
      }
      return false;
    }
    if (touched(0, i, false)) return false;
    if (anomaly == "garbage-read") {
      if (lists)
        seen.insert(seen.begin() + static_cast<std::ptrdiff_t>(below(seen.size() + 1)), -7);
      else
        seen.assign(1, -7);
      return true;
    }
    if (anomaly == "G1a" || anomaly == "dirty-update") {
      const auto& values = failed[op.key];
      if (values.empty() || (anomaly == "dirty-update" && seen.empty())) return false;
      const int value = values[below(values.size())];
      if (!lists)
        seen.assign(1, value);
      else
        seen.insert(anomaly == "G1a" ? seen.end() : seen.begin() + static_cast<std::ptrdiff_t>(below(seen.size())),
                    value);
      return true;
    }
    if (anomaly == "G1b") {
      for (const int value : replaced[op.key]) {
        if (!lists) {
          if (std::any_of(txn.ops.begin(), txn.ops.end(),
                          [&](const OracleOp& other) { return other.f != 'r' && other.value == value; }))
            continue;
          seen.assign(1, value);
          return true;
        }
        const auto at = std::find(seen.begin(), seen.end(), value);
        if (at == seen.end()) continue;
        seen.erase(at + 1, seen.end());
        return true;
      }
      return false;
    }
    if (anomaly == "duplicate-elements") {
      if (seen.empty()) return false;
      seen.insert(seen.begin() + static_cast<std::ptrdiff_t>(below(seen.size() + 1)), seen[below(seen.size())]);
      return true;
    }
    if (anomaly != "incompatible-order") throw std::invalid_argument(anomaly);
    // Another read must show the true order of the two.
    if (seen.size() < 2) return false;
    const std::size_t at = below(seen.size() - 1);
    const bool shown = std::any_of(history.begin(), history.end(), [&](const OracleTxn& other) {
      return &other - history.data() != static_cast<std::ptrdiff_t>(t) && other.outcome == 'o' &&
             std::any_of(other.ops.begin(), other.ops.end(), [&](const OracleOp& o) {
               return o.f == 'r' && o.key == op.key && o.seen.size() > at + 1 && o.seen[at] == seen[at] &&
                      o.seen[at + 1] == seen[at + 1];
             });
    });
    std::swap(seen[at], seen[at + 1]);
    return shown;
  };
  for (int tries = 0; tries < 2000; ++tries) {
    const std::size_t t = below(out.size());
    if (out[t].outcome != 'o') continue;
    const std::size_t i = below(out[t].ops.size());
    if (out[t].ops[i].f != 'r') continue;
    if (change(t, i)) return out;
    out[t].ops[i] = history[t].ops[i];
  }
  return std::nullopt;
}

}  // namespace ordeal::testing_support
