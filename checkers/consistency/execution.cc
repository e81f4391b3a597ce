#include "checkers/consistency/execution.h"

#include <algorithm>
#include <map>
#include <unordered_map>

#include "checkers/linearizability/operations.h"

namespace ordeal::weak {
namespace {

std::string_view name(Violation::Because because) {
  switch (because) {
    case Violation::Because::session: return "process";
    case Violation::Because::reads_from: return "wr";
    default: return "ww";
  }
}

// Which writers, and whether the initial value, each read can come from.
void find_candidates(Execution& execution, std::uint32_t initial) {
  std::unordered_map<std::uint64_t, std::vector<Source>> writers;  // by key and value
  const auto place = [](std::uint32_t key, std::int64_t value) {
    return static_cast<std::uint64_t>(key) << 32 | static_cast<std::uint32_t>(value);
  };
  for (const auto& of_key : execution.writes) {
    for (const AccessId w : of_key) writers[place(execution.accesses[w].key, execution.accesses[w].written)].push_back(w);
  }
  // When the initial value is not known, a value that is read and that nobody wrote must be it.
  std::map<std::uint32_t, std::int64_t> revealed;
  const auto written = [&](const Access& a) {
    const auto found = writers.find(place(a.key, a.read));
    return found != writers.end() && (found->second.size() > 1 || &execution.accesses[found->second[0]] != &a);
  };
  if (!execution.initial_known) {
    for (const Access& a : execution.accesses) {
      if (a.reads && !a.crashed() && !written(a)) revealed.try_emplace(a.key, a.read);
    }
  }
  execution.candidates.resize(execution.accesses.size());
  for (AccessId r = 0; r < execution.accesses.size(); ++r) {
    const Access& a = execution.accesses[r];
    if (!a.reads) continue;
    auto& out = execution.candidates[r];
    if (const auto found = writers.find(place(a.key, a.read)); found != writers.end()) {
      for (const Source w : found->second) {
        if (w != r) out.push_back(w);
      }
    }
    bool from_initial = a.read == initial;
    if (!execution.initial_known) {
      const auto known = revealed.find(a.key);
      from_initial = known == revealed.end() || known->second == a.read;
    }
    if (from_initial) out.push_back(kInitial);
    if (out.size() > 1) execution.unique = false;
  }
}

}  // namespace

std::string Execution::describe_key(std::uint32_t key) const {
  if (keys[key] == kNil) return "the register";
  const ValueTable& values = history->values();
  return values.kind(keys[key]) == Value::Kind::string ? std::string(values.as_string(keys[key])) : values.to_json(keys[key]);
}

std::string Execution::describe(AccessId access) const {
  const Access& a = accesses[access];
  const auto text = [&](std::int64_t value) { return history->values().to_json(static_cast<ValueId>(value)); };
  const std::string key = keys[a.key] == kNil ? "" : describe_key(a.key) + " = ";
  std::string out = "process " + history->process_name(history->process(a.inv)) + "'s ";
  if (a.reads && a.writes) out += "cas of " + key + text(a.read) + " to " + text(a.written);
  else out += (a.writes ? "write of " : "read of ") + key + text(a.writes ? a.written : a.read);
  return out + " (" + std::to_string(history->index(a.inv)) + ")";
}

Execution make_execution(const History& history, const lin::Model& model, const lin::Partition& parts,
                         const CheckOptions& options) {
  Execution out;
  out.history = &history;
  for (std::uint32_t k = 0; k < parts.keys.size(); ++k) {
    out.keys.push_back(parts.keys[k].key);
    for (const lin::Call& call : parts.keys[k].calls) {
      Access access;
      access.inv = call.inv;
      access.ret = call.ret;
      access.key = k;
      access.reads = call.op.code != lin::reg::kWrite;
      access.writes = call.op.code != lin::reg::kRead;
      access.read = call.op.a;
      access.written = call.op.code == lin::reg::kCas ? call.op.b : call.op.a;
      if (access.reads && access.writes) out.has_cas = true;
      out.accesses.push_back(access);
    }
  }
  std::sort(out.accesses.begin(), out.accesses.end(), [](const Access& x, const Access& y) { return x.inv < y.inv; });
  out.writes.resize(out.keys.size());
  std::unordered_map<ProcessId, std::uint32_t> session_of;
  for (AccessId i = 0; i < out.accesses.size(); ++i) {
    Access& access = out.accesses[i];
    const ProcessId process = history.process(access.inv);
    const auto [found, fresh] = session_of.try_emplace(process, static_cast<std::uint32_t>(out.sessions.size()));
    if (fresh) out.sessions.emplace_back();
    access.session = found->second;
    access.position = static_cast<std::uint32_t>(out.sessions[access.session].size());
    out.sessions[access.session].push_back(i);
    if (access.writes) out.writes[access.key].push_back(i);
    if (access.crashed()) session_of.erase(found);
  }
  const std::uint32_t initial = model.initial()[0];
  out.initial_known = initial != lin::kAnyState;
  if (options.initial) out.initial_text = options.initial->to_json();
  find_candidates(out, initial);
  return out;
}

std::vector<char> happened(const Execution& execution, const Sources& sources) {
  std::vector<char> out(execution.accesses.size(), 0);
  std::vector<AccessId> todo;
  for (AccessId i = 0; i < out.size(); ++i) {
    if (!execution.accesses[i].crashed()) {
      out[i] = 1;
      todo.push_back(i);
    }
  }
  while (!todo.empty()) {
    const AccessId i = todo.back();
    todo.pop_back();
    const Source from = sources[i];
    if (from == kInitial || from == kUndecided || out[from] != 0) continue;
    out[from] = 1;
    todo.push_back(from);
  }
  return out;
}

Anomaly to_anomaly(const Execution& execution, const Violation& violation) {
  Anomaly out;
  out.type = violation.type;
  out.explanation = violation.explanation;
  std::vector<AccessId> named = violation.others;
  named.push_back(violation.guilty);
  for (const Violation::Edge& edge : violation.edges) {
    named.push_back(edge.from);
    named.push_back(edge.to);
    if (edge.because >= Violation::Because::version_order) named.push_back(edge.seen_by);
  }
  std::sort(named.begin(), named.end());
  named.erase(std::unique(named.begin(), named.end()), named.end());
  const auto node_of = [&](AccessId access) {
    return static_cast<std::size_t>(std::lower_bound(named.begin(), named.end(), access) - named.begin());
  };
  bool one_key = true;
  for (const AccessId access : named) {
    out.operations.push_back(execution.accesses[access].inv);
    out.graph.nodes.push_back({execution.accesses[access].inv, execution.describe(access), access == violation.guilty});
    if (execution.accesses[access].key != execution.accesses[named[0]].key) one_key = false;
  }
  const ValueId key = execution.keys[execution.accesses[named[0]].key];
  if (one_key && key != kNil) out.key = execution.history->values().to_value(key);
  for (const Violation::Edge& edge : violation.edges) {
    std::string because;
    switch (edge.because) {
      case Violation::Because::session: because = "the same process did it first"; break;
      case Violation::Because::reads_from: because = "its value is the one that was read"; break;
      case Violation::Because::version_order:
        because = execution.describe(edge.seen_by) + " knew of both and saw the latter";
        break;
      case Violation::Because::read_your_writes:
        because = "its process wrote it before " + execution.describe(edge.seen_by) + ", which saw the latter";
        break;
      case Violation::Because::monotonic_reads:
        because = "a process saw it before " + execution.describe(edge.seen_by) + ", which saw the latter";
        break;
      case Violation::Because::writes_follow_reads:
        because = execution.describe(edge.seen_by) + " saw the former, and the same process then wrote the latter";
    }
    out.sentences.push_back(execution.describe(edge.from) + " comes before " + execution.describe(edge.to) + ": " + because + ".");
    out.graph.edges.push_back({node_of(edge.from), node_of(edge.to), std::string(name(edge.because)), because});
  }
  out.sentences.insert(out.sentences.end(), violation.sentences.begin(), violation.sentences.end());
  return out;
}

}  // namespace ordeal::weak
