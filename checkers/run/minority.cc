#include "checkers/run/minority.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "checkers/history/fault_record.h"
#include "checkers/history/placement.h"

namespace ordeal {
namespace {

constexpr std::size_t kShown = 10;

// What changes something, of the vocabulary of doc/formats.md. Takers of locks and messages are left out: a node may
// answer them from what it has.
constexpr std::string_view kChanges[] = {"add",    "append", "cas",      "cas-version", "enqueue", "insert",     "put",
                                         "remove", "send",   "transfer", "write",       "saga",    "write-chain"};

using Names = std::set<std::string>;

// Nodes in a minority for a while.
struct Cut {
  int fault = 0;
  std::int64_t from = 0, to = 0;  // ns
  Names minority;
};

Names texts(const Value& list) {
  Names out;
  if (!list.is_list()) return out;
  for (const Value& one : list.items()) out.insert(one.is_string() ? one.string() : one.to_json());
  return out;
}

// By node, those whose packets it drops.
std::map<std::string, Names> drops_of(const FaultRecord& record) {
  std::map<std::string, Names> out;
  const Value* drops = record.description.find("drops");
  if (drops == nullptr || !drops->is_map()) return out;
  for (const auto& [node, others] : drops->entries())
    out[node.is_string() ? node.string() : node.to_json()] = texts(others);
  return out;
}

// The nodes that reach at most half of all, also by way of others.
Names minority_of(const std::map<std::string, Names>& drops, const Names& nodes) {
  const auto apart = [&](const std::string& a, const std::string& b) {
    const auto of_a = drops.find(a), of_b = drops.find(b);
    return of_a != drops.end() && of_b != drops.end() && of_a->second.contains(b) && of_b->second.contains(a);
  };
  Names out;
  for (const std::string& node : nodes) {
    Names reached = {node};
    std::vector<std::string> next = {node};
    while (!next.empty()) {
      const std::string from = std::move(next.back());
      next.pop_back();
      for (const std::string& to : nodes) {
        if (!apart(from, to) && reached.insert(to).second) next.push_back(to);
      }
    }
    if (2 * reached.size() <= nodes.size()) out.insert(node);
  }
  return out;
}

std::vector<Cut> cuts_of(const History& history, Names nodes) {
  const std::vector<FaultRecord> records = fault_records(history);
  for (const FaultRecord& record : records) {
    for (const auto& [node, others] : drops_of(record)) {
      nodes.insert(node);
      nodes.insert(others.begin(), others.end());
    }
  }
  std::vector<Cut> out;
  for (const FaultRecord& record : records) {
    const bool partial = record.description.find("ports") != nullptr || record.description.find("flap_s") != nullptr;
    if (record.fault != "partition" || partial || !record.error.empty()) continue;
    if (record.confirmed_ns < 0 || record.heal_ns < 0) continue;
    Cut cut{record.id, record.confirmed_ns, record.heal_ns, minority_of(drops_of(record), nodes)};
    if (!cut.minority.empty()) out.push_back(std::move(cut));
  }
  return out;
}

bool changes_something(const History& history, OperationEvents op) {
  const std::string_view f = history.f_name(op.invocation);
  if (f != "txn") return std::find(std::begin(kChanges), std::end(kChanges), f) != std::end(kChanges);
  const ValueTable& values = history.values();
  const ValueId micros = history.value(op.invocation);
  if (micros == kAbsent || values.kind(micros) != Value::Kind::list) return false;
  const auto list = values.as_list(micros);
  return std::any_of(list.begin(), list.end(), [&](ValueId micro) {
    if (values.kind(micro) != Value::Kind::list || values.as_list(micro).empty()) return false;
    const ValueId what = values.as_list(micro)[0];
    return values.kind(what) == Value::Kind::string && values.as_string(what) != "r" &&
           values.as_string(what) != "poll";
  });
}

struct Settings {
  std::int64_t bound_ns = 0;  // 0: nothing is judged
  std::vector<std::string> worker_nodes;
};

Settings settings_of(const Value& extra) {
  Settings out;
  if (const Value* bound = extra.find("minority.bound_s");
      bound != nullptr && (bound->is_real() || bound->is_integer()))
    out.bound_ns = static_cast<std::int64_t>(std::clamp(bound->real(), 0.0, 1e9) * 1e9);
  const Value* names = extra.find("minority.worker_nodes");
  if (names == nullptr || !names->is_list()) return out;
  for (const Value& name : names->items())
    out.worker_nodes.push_back(name.is_string() ? name.string() : name.to_json());
  return out;
}

void accuse(const History& history, OperationEvents op, const std::string& node, const Cut& cut, CheckResult& result) {
  if (result.anomalies.size() == kShown) return;
  Anomaly& anomaly = result.anomalies.emplace_back();
  anomaly.type = "minority-write";
  anomaly.operations = {op.invocation};
  anomaly.explanation = "the " + std::string(history.f_name(op.invocation)) + " of event " +
                        std::to_string(history.index(op.invocation)) + " was acknowledged by " + node +
                        ", which fault " + std::to_string(cut.fault) + " (partition) had cut off from a majority for " +
                        std::to_string((history.time(op.invocation) - cut.from) / 1'000'000) + " ms";
}

void judge(const History& history, const Settings& settings, CheckResult& result) {
  const auto operations = history.operations();
  result.operations = operations.size();
  const std::vector<std::string>& nodes = settings.worker_nodes;
  const std::vector<Cut> cuts = cuts_of(history, Names(nodes.begin(), nodes.end()));
  std::int64_t tried = 0, acknowledged = 0;
  for (const OperationEvents op : operations) {
    const ProcessId process = history.process(op.invocation);
    if (settings.bound_ns == 0 || nodes.empty() || process < 0 || !changes_something(history, op)) continue;
    const std::string& node = nodes[worker_of(process, nodes.size())];
    const std::int64_t begin = history.time(op.invocation);
    const auto cut = std::find_if(cuts.begin(), cuts.end(), [&](const Cut& one) {
      return begin >= one.from + settings.bound_ns && begin < one.to && one.minority.contains(node);
    });
    if (cut == cuts.end()) continue;
    ++tried;
    if (history.outcome(op) != EventType::ok || history.time(op.completion) >= cut->to) continue;
    ++acknowledged;
    accuse(history, op, node, *cut, result);
  }
  result.details.set("minorities", static_cast<std::int64_t>(cuts.size()));
  result.details.set("tried", tried);
  result.details.set("acknowledged", acknowledged);
  result.verdict = result.anomalies.empty() ? Verdict::valid : Verdict::invalid;
  if (settings.bound_ns == 0 || tried > 0) return;
  result.verdict = Verdict::unknown;
  result.reason = nodes.empty()  ? "it is not known which nodes the clients talk to"
                  : cuts.empty() ? "no partition was confirmed that cut a node off from a majority"
                                 : "no client of a node in a minority tried to change anything later than the bound";
}

class MinorityChecker final : public Checker {
 public:
  [[nodiscard]] std::string_view name() const override { return "minority"; }

  [[nodiscard]] CheckResult check(const History& history, const CheckOptions& options) const override {
    CheckResult result;
    result.checker = "minority";
    result.algorithm = "cuts";
    judge(history, settings_of(options.extra), result);
    return result;
  }
};

}  // namespace

std::shared_ptr<const Checker> minority_checker() { return std::make_shared<MinorityChecker>(); }

std::vector<AnomalyEntry> minority_anomalies() {
  return {{"minority-write", "a node that was cut off from a majority acknowledged a change"}};
}

}  // namespace ordeal
