#include "checkers/consistency/execution.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <unordered_map>
#include <utility>

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

// Where an argument follows one process step by step, its first and last step say as much; unless it is about a step in
// between.
std::vector<Violation::Edge> without_detours(const std::vector<Violation::Edge>& edges,
                                             const std::vector<AccessId>& about) {
  std::vector<Violation::Edge> out;
  for (const Violation::Edge& edge : edges) {
    const bool goes_on = !out.empty() && out.back().because == Violation::Because::session &&
                         edge.because == Violation::Because::session && out.back().to == edge.from &&
                         std::find(about.begin(), about.end(), edge.from) == about.end();
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

std::string failed_writer(const Execution& execution, AccessId read) {
  const History& h = *execution.history;
  const Access& a = execution.accesses[read];
  for (EventIndex e = 0; e < h.size(); ++e) {
    if (h.type(e) != EventType::fail || h.process(e) < 0 || h.partner(e) == kNoEvent) continue;
    const EventIndex inv = h.partner(e);
    const ValueId key = h.key(inv) == kAbsent ? kNil : h.key(inv), value = h.value(inv);
    if (key != execution.keys[a.key] || value == kAbsent) continue;
    const bool write = h.f_name(inv) == "write" && value == a.read;
    const bool cas = h.f_name(inv) == "cas" && h.values().kind(value) == Value::Kind::list &&
                     h.values().as_list(value).size() == 2 && h.values().as_list(value)[1] == a.read;
    if (write || cas)
      return ", which " + h.client(h.process(inv)) + " had tried to write, and been told that it failed (event " +
             std::to_string(h.index(inv)) + ")";
  }
  return {};
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
  std::string out = "the ";
  if (a.reads && a.writes)
    out += "cas of " + key + text(a.read) + " to " + text(a.written);
  else
    out += (a.writes ? "write of " : "read of ") + key + text(a.writes ? a.written : a.read);
  return out + " by " + history->client(history->process(a.inv)) + " (" + std::to_string(history->index(a.inv)) + ")";
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

Execution part_of(const Execution& whole, const std::vector<char>& keep) {
  Execution out;
  out.history = whole.history;
  out.keys = whole.keys;
  out.initial_known = whole.initial_known;
  out.initial_text = whole.initial_text;
  out.has_cas = whole.has_cas;
  std::vector<AccessId> now(whole.accesses.size(), kUndecided);
  for (AccessId i = 0; i < now.size(); ++i) {
    if (keep[i] == 0) continue;
    now[i] = static_cast<AccessId>(out.accesses.size());
    out.accesses.push_back(whole.accesses[i]);
  }
  const auto kept = [&](const std::vector<AccessId>& all) {
    std::vector<AccessId> some;
    for (const AccessId i : all) {
      if (keep[i] != 0) some.push_back(now[i]);
    }
    return some;
  };
  for (const auto& session : whole.sessions) {
    std::vector<AccessId> some = kept(session);
    if (some.empty()) continue;
    for (std::uint32_t position = 0; position < some.size(); ++position) {
      out.accesses[some[position]].session = static_cast<std::uint32_t>(out.sessions.size());
      out.accesses[some[position]].position = position;
    }
    out.sessions.push_back(std::move(some));
  }
  for (const auto& writes : whole.writes) out.writes.push_back(kept(writes));
  out.candidate_lists.emplace_back();
  for (AccessId i = 0; i < now.size(); ++i) {
    if (keep[i] == 0) continue;
    std::vector<Source> sources;
    for (const Source from : whole.candidates(i)) {
      if (from == kInitial)
        sources.push_back(from);
      else if (keep[from] != 0)
        sources.push_back(now[from]);
    }
    out.unique = out.unique && sources.size() <= 1;
    out.candidate_list.push_back(sources.empty() ? 0 : static_cast<std::uint32_t>(out.candidate_lists.size()));
    if (!sources.empty()) out.candidate_lists.push_back(std::move(sources));
  }
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

namespace {

class AnomalyTeller {
 public:
  AnomalyTeller(const Execution& execution, const Violation& violation, const Sources& sources)
      : execution_(execution),
        violation_(violation),
        sources_(sources),
        edges_(without_detours(violation.edges, violation.others)) {}

  Anomaly run() {
    out_.type = violation_.type;
    out_.explanation = violation_.explanation;
    name_all();
    bool one_key = true;
    for (const AccessId access : named_) {
      const Access& a = execution_.accesses[access];
      out_.operations.push_back(a.inv);
      out_.graph.nodes.push_back({a.inv, execution_.describe(access), access == violation_.guilty});
      one_key = one_key && a.key == execution_.accesses[named_[0]].key;
    }
    const ValueId key = execution_.keys[execution_.accesses[named_[0]].key];
    if (one_key && key != kNil) out_.key = execution_.history->values().to_value(key);
    for (const Violation::Edge& edge : edges_) tell(edge, "");
    for (const auto& path : known_) {
      out_.sentences.push_back(execution_.describe(path.back().to) + " knew of " +
                               execution_.describe(path.front().from) + ":");
      for (const Violation::Edge& edge : path) tell(edge, "- ");
    }
    out_.sentences.insert(out_.sentences.end(), happened_.begin(), happened_.end());
    out_.sentences.insert(out_.sentences.end(), violation_.sentences.begin(), violation_.sentences.end());
    return std::move(out_);
  }

 private:
  void name_edge(const Violation::Edge& edge) {
    named_.push_back(edge.from);
    named_.push_back(edge.to);
    if (edge.because >= Violation::Because::version_order) named_.push_back(edge.seen_by);
    if (edge.because == Violation::Because::monotonic_reads) named_.push_back(edge.before);
  }

  void name_all() {
    named_ = violation_.others;
    named_.push_back(violation_.guilty);
    for (const Violation::Edge& edge : edges_) name_edge(edge);
    for (const auto& path : violation_.known) {
      known_.push_back(without_detours(path, violation_.others));
      for (const Violation::Edge& edge : known_.back()) name_edge(edge);
    }
    // A crashed operation has happened when somebody saw what it wrote; that one may have crashed, too.
    for (std::size_t i = 0; i < named_.size(); ++i) {
      if (!execution_.accesses[named_[i]].crashed()) continue;
      const AccessId reader = reader_of(named_[i]);
      if (reader == named_[i] || std::find(named_.begin(), named_.end(), reader) != named_.end()) continue;
      named_.push_back(reader);
      happened_.push_back(execution_.describe(reader) + " saw what " + execution_.describe(named_[i]) +
                          " wrote, so that one took effect although nobody was told.");
    }
    std::sort(named_.begin(), named_.end());
    named_.erase(std::unique(named_.begin(), named_.end()), named_.end());
  }

  // One that saw what a crashed operation wrote, and is nearer to one that was acknowledged (crashed ones may also have
  // seen each other in a circle, which shows nothing); preferably one of those named. The operation itself when nobody
  // did.
  AccessId reader_of(AccessId writer) const {
    AccessId out = writer;
    std::pair<bool, std::size_t> best;
    const std::vector<std::size_t> away = away_from_acknowledged();
    for (AccessId r = 0; r < sources_.size(); ++r) {
      if (sources_[r] != writer || !execution_.accesses[r].reads || away[r] >= away[writer]) continue;
      const bool is_named = std::find(named_.begin(), named_.end(), r) != named_.end();
      const std::pair<bool, std::size_t> rank{!is_named, away[r]};
      if (out != writer && rank >= best) continue;
      best = rank;
      out = r;
    }
    return out;
  }

  // By access: how many were seen, one by the next, until one that was acknowledged; SIZE_MAX: it need not have
  // happened.
  std::vector<std::size_t> away_from_acknowledged() const {
    std::vector<std::size_t> out(execution_.accesses.size(), SIZE_MAX);
    std::vector<AccessId> order;
    for (AccessId i = 0; i < out.size(); ++i) {
      if (execution_.accesses[i].crashed()) continue;
      out[i] = 0;
      order.push_back(i);
    }
    for (std::size_t at = 0; at < order.size(); ++at) {
      const Source from = sources_[order[at]];
      if (from == kInitial || from == kUndecided || out[from] != SIZE_MAX) continue;
      out[from] = out[order[at]] + 1;
      order.push_back(from);
    }
    return out;
  }

  void tell(const Violation::Edge& edge, const std::string& indent) {
    const std::string because = why(edge);
    out_.sentences.push_back(indent + execution_.describe(edge.from) + " comes before " + execution_.describe(edge.to) +
                             ": " + because + ".");
    const auto node_of = [&](AccessId access) {
      return static_cast<std::size_t>(std::lower_bound(named_.begin(), named_.end(), access) - named_.begin());
    };
    out_.graph.edges.push_back({node_of(edge.from), node_of(edge.to), std::string(name(edge.because)), because});
  }

  std::string why(const Violation::Edge& edge) const {
    switch (edge.because) {
      case Violation::Because::session:
        return "the same process did it first";
      case Violation::Because::reads_from:
        return "its value is the one that was read";
      case Violation::Because::version_order:
        return execution_.describe(edge.seen_by) + " knew of both and saw the latter";
      case Violation::Because::read_your_writes:
        return "its process wrote it before " + execution_.describe(edge.seen_by) + ", which saw the latter";
      case Violation::Because::monotonic_reads:
        return execution_.describe(edge.before) + " saw it before " + execution_.describe(edge.seen_by) +
               " of the same process, which saw the latter";
      case Violation::Because::writes_follow_reads:
        return execution_.describe(edge.seen_by) + " saw the former, and the same process then wrote the latter";
    }
    return {};
  }

  const Execution& execution_;
  const Violation& violation_;
  const Sources& sources_;
  std::vector<Violation::Edge> edges_;
  std::vector<std::vector<Violation::Edge>> known_;
  std::vector<AccessId> named_;
  std::vector<std::string> happened_;
  Anomaly out_;
};

}  // namespace

Anomaly to_anomaly(const Execution& execution, const Violation& violation, const Sources& sources) {
  return AnomalyTeller(execution, violation, sources).run();
}

}  // namespace ordeal::weak
