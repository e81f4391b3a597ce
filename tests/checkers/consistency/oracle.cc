#include "oracle.h"

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <map>

namespace ordeal::oracle {
namespace {

using Ops = std::vector<Op>;
using Mask = std::uint32_t;          // a set of operations
using Relation = std::vector<Mask>;  // by operation: those before it

bool has(Mask mask, std::size_t i) { return (mask >> i & 1) != 0; }

// Is there a sequence of the operations in `all` that extends `before` and in which those in `visible` return what a
// register would return? Operations outside `visible` count by what they write only.
bool sequence_exists(const Ops& ops, Mask all, const Relation& before, Mask visible, Mask done,
                     std::map<int, int> state) {
  if ((all & ~done) == 0) return true;
  for (std::size_t i = 0; i < ops.size(); ++i) {
    if (!has(all, i) || has(done, i) || (before[i] & all & ~done) != 0) continue;
    if (has(visible, i) && ops[i].reads() && state[ops[i].key] != ops[i].value) continue;
    std::map<int, int> next = state;
    if (ops[i].writes()) next[ops[i].key] = ops[i].written();
    if (sequence_exists(ops, all, before, visible, done | Mask{1} << i, std::move(next))) return true;
  }
  return false;
}

Relation session_order(const Ops& ops) {
  Relation out(ops.size(), 0);
  for (std::size_t i = 0; i < ops.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (ops[i].process == ops[j].process) out[i] |= Mask{1} << j;
    }
  }
  return out;
}

// Closes transitively; false when that makes a cycle.
bool close(Relation& order) {
  for (std::size_t k = 0; k < order.size(); ++k) {
    for (std::size_t i = 0; i < order.size(); ++i) {
      if (has(order[i], k)) order[i] |= order[k];
    }
  }
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (has(order[i], i)) return false;
  }
  return true;
}

// Every causal order that could matter: session order together with, for each read, an edge from one write of any
// value (or none). An order with more in it only adds operations to pasts, so a read that is explained by its past is
// explained already by the closure over the writes that its explanation ends with.
bool some_causal_order(const Ops& ops, const std::function<bool(const Relation&)>& good) {
  std::vector<std::size_t> readers;
  for (std::size_t i = 0; i < ops.size(); ++i) {
    if (ops[i].reads()) readers.push_back(i);
  }
  Relation base = session_order(ops);
  std::function<bool(std::size_t, const Relation&)> choose = [&](std::size_t at, const Relation& order) {
    if (at == readers.size()) {
      Relation closed = order;
      return close(closed) && good(closed);
    }
    const std::size_t r = readers[at];
    if (choose(at + 1, order)) return true;
    for (std::size_t w = 0; w < ops.size(); ++w) {
      if (w == r || !ops[w].writes() || ops[w].key != ops[r].key) continue;
      Relation more = order;
      more[r] |= Mask{1} << w;
      if (choose(at + 1, more)) return true;
    }
    return false;
  };
  return choose(0, base);
}

Mask with_self(const Relation& order, std::size_t i) { return order[i] | Mask{1} << i; }

bool causal_cc(const Ops& ops) {
  return some_causal_order(ops, [&](const Relation& co) {
    for (std::size_t i = 0; i < ops.size(); ++i) {
      if (!sequence_exists(ops, with_self(co, i), co, Mask{1} << i, 0, {})) return false;
    }
    return true;
  });
}

bool causal_cm(const Ops& ops) {
  const Relation po = session_order(ops);
  return some_causal_order(ops, [&](const Relation& co) {
    for (std::size_t i = 0; i < ops.size(); ++i) {
      if (!sequence_exists(ops, with_self(co, i), co, with_self(po, i), 0, {})) return false;
    }
    return true;
  });
}

// Is there a total order (arbitration) of all operations that extends co, such that each operation's past, in that
// order, explains it?
bool causal_ccv(const Ops& ops) {
  return some_causal_order(ops, [&](const Relation& co) {
    std::vector<std::size_t> order(ops.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    do {
      bool good = true;
      Mask seen = 0;
      for (const std::size_t i : order) {
        if ((co[i] & ~seen) != 0) good = false;
        seen |= Mask{1} << i;
      }
      for (std::size_t i = 0; good && i < ops.size(); ++i) {
        if (!ops[i].reads()) continue;
        int value = 0;
        for (const std::size_t j : order) {
          if (has(co[i], j) && ops[j].writes() && ops[j].key == ops[i].key) value = ops[j].written();
        }
        good = value == ops[i].value;
      }
      if (good) return true;
    } while (std::next_permutation(order.begin(), order.end()));
    return false;
  });
}

bool pram(const Ops& ops) {
  const Relation po = session_order(ops);
  for (const Op& owner : ops) {
    Mask all = 0, own = 0;
    for (std::size_t i = 0; i < ops.size(); ++i) {
      if (ops[i].process == owner.process) own |= Mask{1} << i;
      if (ops[i].writes() || ops[i].process == owner.process) all |= Mask{1} << i;
    }
    if (!sequence_exists(ops, all, po, own, 0, {})) return false;
  }
  return true;
}

// Is there, for each key, one order of its writes in which `good` holds? `place` gives each write its place, from 1;
// the initial value has 0. Requires: unique values, so that each read has one source.
bool some_version_order(const Ops& ops,
                        const std::function<bool(const std::vector<int>& place, const std::vector<int>& seen)>& good) {
  std::vector<std::size_t> writes;
  for (std::size_t i = 0; i < ops.size(); ++i) {
    if (ops[i].writes()) writes.push_back(i);
  }
  do {
    std::vector<int> place(ops.size(), 0), seen(ops.size(), 0);
    for (std::size_t at = 0; at < writes.size(); ++at) place[writes[at]] = static_cast<int>(at) + 1;
    bool explained = true;
    for (std::size_t r = 0; r < ops.size(); ++r) {
      if (!ops[r].reads() || ops[r].value == 0) continue;
      const auto w = std::find_if(writes.begin(), writes.end(), [&](std::size_t i) {
        return i != r && ops[i].key == ops[r].key && ops[i].written() == ops[r].value;
      });
      if (w == writes.end())
        explained = false;
      else
        seen[r] = place[*w];
    }
    if (explained && good(place, seen)) return true;
  } while (std::next_permutation(writes.begin(), writes.end()));
  return false;
}

bool session_guarantee(const std::string& level, const Ops& ops) {
  const bool versions_of_reads = level != "read-your-writes";
  return some_version_order(ops, [&](const std::vector<int>& place, const std::vector<int>& seen) {
    for (std::size_t i = 0; i < ops.size(); ++i) {
      for (std::size_t j = i; j < ops.size(); ++j) {
        if (ops[i].process != ops[j].process || ops[i].key != ops[j].key) continue;
        const bool later = i < j;
        if (later && versions_of_reads && ops[i].reads() && ops[j].reads() && seen[i] > seen[j]) return false;
        if (later && level == "read-your-writes" && ops[i].writes() && ops[j].reads() && place[i] > seen[j])
          return false;
        if (later && level == "monotonic-writes" && ops[i].writes() && ops[j].writes() && place[i] >= place[j])
          return false;
        if (level == "writes-follow-reads" && ops[i].reads() && ops[j].writes() && seen[i] >= place[j]) return false;
      }
    }
    return true;
  });
}

// Each read alone fits an order of all writes that respects real time; under `safe` those that overlap a write fit
// anyway.
bool regular(const Ops& ops, bool safe) {
  for (std::size_t r = 0; r < ops.size(); ++r) {
    if (ops[r].writes()) continue;
    Mask all = Mask{1} << r;
    bool overlaps = false;
    Relation before(ops.size(), 0);
    for (std::size_t i = 0; i < ops.size(); ++i) {
      if (ops[i].writes()) all |= Mask{1} << i;
      if (ops[i].writes() && ops[i].key == ops[r].key && ops[i].inv < ops[r].ret &&
          (ops[i].crashed || ops[i].ret > ops[r].inv))
        overlaps = true;
      for (std::size_t j = 0; j < ops.size(); ++j) {
        if (!ops[j].crashed && ops[j].ret < ops[i].inv) before[i] |= Mask{1} << j;
      }
    }
    if (safe && overlaps) continue;
    if (!sequence_exists(ops, all, before, Mask{1} << r, 0, {})) return false;
  }
  return true;
}

bool k_atomic(const Ops& ops, std::size_t k, Mask done, const std::map<int, std::vector<int>>& values) {
  if (done == (Mask{1} << ops.size()) - 1) return true;
  for (std::size_t i = 0; i < ops.size(); ++i) {
    if (has(done, i)) continue;
    bool first = true;
    for (std::size_t j = 0; j < ops.size(); ++j) {
      if (!has(done, j) && !ops[j].crashed && ops[j].ret < ops[i].inv) first = false;
    }
    if (!first) continue;
    auto next = values;
    std::vector<int>& written = next.try_emplace(ops[i].key, std::vector<int>{0}).first->second;
    if (ops[i].writes()) {
      written.push_back(ops[i].value);
    } else {
      const std::size_t from = written.size() > k ? written.size() - k : 0;
      if (std::find(written.begin() + static_cast<std::ptrdiff_t>(from), written.end(), ops[i].value) == written.end())
        continue;
    }
    if (k_atomic(ops, k, done | Mask{1} << i, next)) return true;
  }
  return false;
}

bool all_happened(const std::string& level, const Ops& ops) {
  if (level == "causal-cc") return causal_cc(ops);
  if (level == "causal-cm") return causal_cm(ops);
  if (level == "causal-ccv") return causal_ccv(ops);
  if (level == "pram") return pram(ops);
  if (level == "regular") return regular(ops, false);
  if (level == "k-atomic-1") return k_atomic(ops, 1, 0, {});
  if (level == "k-atomic-2") return k_atomic(ops, 2, 0, {});
  if (level == "k-atomic-3") return k_atomic(ops, 3, 0, {});
  if (level == "sequential") {
    return sequence_exists(ops, (Mask{1} << ops.size()) - 1, session_order(ops), (Mask{1} << ops.size()) - 1, 0, {});
  }
  return session_guarantee(level, ops);
}

}  // namespace

bool holds(const std::string& level, const Ops& ops) {
  // A crashed write may overlap every later read, so no subset of them says more than all about a safe register.
  if (level == "safe") return regular(ops, true);
  const auto crashed = std::find_if(ops.begin(), ops.end(), [](const Op& op) { return op.crashed; });
  if (crashed == ops.end()) return all_happened(level, ops);
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < ops.size(); ++i) {
    if (ops[i].crashed) places.push_back(i);
  }
  for (Mask kept = 0; kept < Mask{1} << places.size(); ++kept) {
    Ops some;
    for (std::size_t i = 0; i < ops.size(); ++i) {
      const auto at = std::find(places.begin(), places.end(), i);
      if (at == places.end() || has(kept, static_cast<std::size_t>(at - places.begin()))) some.push_back(ops[i]);
    }
    if (all_happened(level, some)) return true;
  }
  return false;
}

}  // namespace ordeal::oracle
