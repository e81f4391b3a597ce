#include "checkers/consistency/execution.h"

#include <algorithm>
#include <map>
#include <unordered_map>

#include "checkers/linearizability/models/operations.h"

namespace ordeal::weak {
namespace {

std::string_view name(Violation::Because because) {
  switch (because) {
    case Violation::Because::session:
      return "process";
    case Violation::Because::reads_from:
      return "wr";
    default:
      return "ww";
  }
}

// Which writers, and whether the initial value, each read can come from.
class CandidateFinder {
 public:
  CandidateFinder(Execution& execution, std::uint32_t initial) : execution_(execution), initial_(initial) {
    execution.candidate_lists.emplace_back();
    execution.candidate_list.assign(execution.accesses.size(), 0);
    for (const auto& of_key : execution.writes) {
      for (const AccessId w : of_key) list(execution.accesses[w].key, execution.accesses[w].written).push_back(w);
    }
    if (!execution.initial_known) reveal();
  }

  void run() {
    std::vector<char> complete(execution_.candidate_lists.size(), 0);
    for (AccessId r = 0; r < execution_.accesses.size(); ++r) {
      const Access& a = execution_.accesses[r];
      if (!a.reads) continue;
      auto& shared = list(a.key, a.read);
      const std::uint32_t number = lists_.at(place(a.key, a.read));
      complete.resize(execution_.candidate_lists.size(), 0);
      if (complete[number] == 0 && from_initial(a)) shared.push_back(kInitial);
      complete[number] = 1;
      execution_.candidate_list[r] = number;
      if (a.writes && a.written == a.read) without_itself(r);
      if (execution_.candidates(r).size() > 1) execution_.unique = false;
    }
  }

 private:
  static std::uint64_t place(std::uint32_t key, std::int64_t value) {
    return static_cast<std::uint64_t>(key) << 32 | static_cast<std::uint32_t>(value);
  }
  std::vector<Source>& list(std::uint32_t key, std::int64_t value) {
    const auto [found, fresh] =
        lists_.try_emplace(place(key, value), static_cast<std::uint32_t>(execution_.candidate_lists.size()));
    if (fresh) execution_.candidate_lists.emplace_back();
    return execution_.candidate_lists[found->second];
  }

  // When the initial value is not known, a value that is read and that nobody wrote must be it.
  void reveal() {
    for (const Access& a : execution_.accesses) {
      if (!a.reads || a.crashed()) continue;
      const auto found = lists_.find(place(a.key, a.read));
      const bool itself = a.writes && a.written == a.read;
      const std::size_t writers = found == lists_.end() ? 0 : execution_.candidate_lists[found->second].size();
      if (writers == (itself ? 1 : 0)) revealed_.try_emplace(a.key, a.read);
    }
  }
  bool from_initial(const Access& a) const {
    if (execution_.initial_known) return a.read == initial_;
    const auto known = revealed_.find(a.key);
    return known == revealed_.end() || known->second == a.read;
  }

  // A cas from a value to itself did not read its own write.
  void without_itself(AccessId r) {
    std::vector<Source> others(execution_.candidates(r).begin(), execution_.candidates(r).end());
    std::erase(others, r);
    execution_.candidate_list[r] = static_cast<std::uint32_t>(execution_.candidate_lists.size());
    execution_.candidate_lists.push_back(std::move(others));
  }

  Execution& execution_;
  std::uint32_t initial_;
  std::unordered_map<std::uint64_t, std::uint32_t> lists_;  // by key and value
  std::map<std::uint32_t, std::int64_t> revealed_;          // by key
};

// Where an argument follows one process step by step, its first and last step say as much.
std::vector<Violation::Edge> without_detours(const std::vector<Violation::Edge>& edges) {
  std::vector<Violation::Edge> out;
  for (const Violation::Edge& edge : edges) {
    const bool goes_on = !out.empty() && out.back().because == Violation::Because::session &&
                         edge.because == Violation::Because::session && out.back().to == edge.from;
    if (goes_on)
      out.back().to = edge.to;
    else
      out.push_back(edge);
  }
  return out;
}

}  // namespace

bool can_be_judged(const lin::Partition& parts, CheckResult& result) {
  result.operations = parts.operations;
  result.keys = parts.keys.size();
  if (parts.ok == 0) {
    result.reason = "no operation succeeded";
  } else if (std::string nothing = lin::nothing_observed(parts); !nothing.empty()) {
    result.reason = std::move(nothing);
  } else if (!parts.not_understood.empty()) {
    // An operation of unknown meaning could explain what others saw, or contradict it.
    result.reason = parts.not_understood.front().second.message;
  }
  return result.reason.empty();
}

std::string Execution::describe_key(std::uint32_t key) const {
  if (keys[key] == kNil) return "the register";
  const ValueTable& values = history->values();
  return values.kind(keys[key]) == Value::Kind::string ? std::string(values.as_string(keys[key]))
                                                       : values.to_json(keys[key]);
}

std::string Execution::describe(AccessId access) const {
  const Access& a = accesses[access];
  const auto text = [&](std::int64_t value) { return history->values().to_json(static_cast<ValueId>(value)); };
  const std::string key = keys[a.key] == kNil ? "" : describe_key(a.key) + " = ";
  std::string out = "process " + history->process_name(history->process(a.inv)) + "'s ";
  if (a.reads && a.writes)
    out += "cas of " + key + text(a.read) + " to " + text(a.written);
  else
    out += (a.writes ? "write of " : "read of ") + key + text(a.writes ? a.written : a.read);
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
  CandidateFinder(out, initial).run();
  return out;
}

std::vector<char> happened(const Execution& execution, const Sources& sources) {
  std::vector<char> out(execution.accesses.size(), 0);
  std::vector<AccessId> pending;
  for (AccessId i = 0; i < out.size(); ++i) {
    if (!execution.accesses[i].crashed()) {
      out[i] = 1;
      pending.push_back(i);
    }
  }
  while (!pending.empty()) {
    const AccessId i = pending.back();
    pending.pop_back();
    const Source from = sources[i];
    if (from == kInitial || from == kUndecided || out[from] != 0) continue;
    out[from] = 1;
    pending.push_back(from);
  }
  return out;
}

Anomaly to_anomaly(const Execution& execution, const Violation& violation) {
  Anomaly out;
  out.type = violation.type;
  out.explanation = violation.explanation;
  std::vector<AccessId> named = violation.others;
  named.push_back(violation.guilty);
  const std::vector<Violation::Edge> edges = without_detours(violation.edges);
  for (const Violation::Edge& edge : edges) {
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
  for (const Violation::Edge& edge : edges) {
    std::string because;
    switch (edge.because) {
      case Violation::Because::session:
        because = "the same process did it first";
        break;
      case Violation::Because::reads_from:
        because = "its value is the one that was read";
        break;
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
    out.sentences.push_back(execution.describe(edge.from) + " comes before " + execution.describe(edge.to) + ": " +
                            because + ".");
    out.graph.edges.push_back({node_of(edge.from), node_of(edge.to), std::string(name(edge.because)), because});
  }
  out.sentences.insert(out.sentences.end(), violation.sentences.begin(), violation.sentences.end());
  return out;
}

}  // namespace ordeal::weak
