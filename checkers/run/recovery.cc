#include "checkers/run/recovery.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <map>

#include "checkers/history/fault_record.h"
#include "checkers/history/placement.h"

namespace ordeal {
namespace {

constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();
constexpr std::size_t kOperationsShown = 10;

std::string seconds(double s) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g s", s);
  return text;
}
std::string seconds(std::int64_t ns) { return seconds(static_cast<double>(ns) / 1e9); }

struct Fault {
  std::int64_t id = 0;
  std::string kind;
  std::int64_t inject = -1;  // ns
  std::int64_t healed = -1;
  std::int64_t last = -1;  // the end of its effect: healed, or never
};

// Those that were injected, by id.
std::vector<Fault> faults_of(const History& history) {
  std::vector<Fault> out;
  for (const FaultRecord& record : fault_records(history)) {
    if (record.inject_ns < 0) continue;
    const std::int64_t last = record.healed_ns >= 0 ? record.healed_ns : kNever;
    out.push_back({record.id, record.fault, record.inject_ns, record.healed_ns, last});
  }
  return out;
}

struct Attempt {
  std::int64_t from = 0;
  std::int64_t to = kNever;  // never: it has no completion
  bool ok = false;
  EventIndex invocation = kNoEvent;
};

// What the clients of one node did.
struct Lane {
  std::string node;
  std::vector<Attempt> attempts;     // by invocation
  std::vector<std::int64_t> served;  // completions that were ok, ascending
};

std::vector<Lane> lanes_of(const History& history, const std::vector<OperationEvents>& operations, const Value& extra) {
  std::vector<std::string> nodes;
  if (const Value* names = extra.find("recovery.worker_nodes"); names != nullptr && names->is_list()) {
    for (const Value& name : names->items()) nodes.push_back(name.is_string() ? name.string() : name.to_json());
  }
  std::map<std::string, Lane> lanes;
  for (const OperationEvents op : operations) {
    const ProcessId process = history.process(op.invocation);
    if (process < 0) continue;
    const std::string node = nodes.empty() ? "" : nodes[worker_of(process, nodes.size())];
    Lane& lane = lanes[node];
    lane.node = node;
    Attempt attempt{history.time(op.invocation), kNever, false, op.invocation};
    if (op.completion != kNoEvent) {
      attempt.to = history.time(op.completion);
      attempt.ok = history.type(op.completion) == EventType::ok;
    }
    if (attempt.ok) lane.served.push_back(attempt.to);
    lane.attempts.push_back(attempt);
  }
  std::vector<Lane> out;
  for (auto& [name, lane] : lanes) {
    std::sort(lane.served.begin(), lane.served.end());
    out.push_back(std::move(lane));
  }
  return out;
}

// The first ok completion after a moment; kNever: none.
std::int64_t served_after(const Lane& lane, std::int64_t moment) {
  const auto found = std::lower_bound(lane.served.begin(), lane.served.end(), moment);
  return found == lane.served.end() ? kNever : *found;
}

// The attempts that show that the node did not serve from `from` to `to`; empty: nothing shows it. Requires: none of
// its operations ended ok in between.
std::vector<EventIndex> futile(const Lane& lane, std::int64_t from, std::int64_t to) {
  std::vector<EventIndex> out;
  bool late = false;
  for (const Attempt& attempt : lane.attempts) {
    if (attempt.from > to || attempt.from < from) continue;
    late = late || attempt.to >= to - (to - from) / 4;
    out.push_back(attempt.invocation);
  }
  if (!late) out.clear();
  return out;
}

struct Settings {
  double bound_s = 0;
  [[nodiscard]] bool judges() const { return bound_s > 0; }
  [[nodiscard]] std::int64_t bound_ns() const { return static_cast<std::int64_t>(std::min(bound_s, 1e9) * 1e9); }
};

class Judge {
 public:
  Judge(const History& history, const CheckOptions& options, CheckResult& result) : history_(history), result_(result) {
    if (const Value* bound = options.extra.find("recovery.bound_s");
        bound != nullptr && (bound->is_real() || bound->is_integer())) {
      settings_.bound_s = bound->real();
    }
    const auto operations = history.operations();
    result.operations = operations.size();
    lanes_ = lanes_of(history, operations, options.extra);
    faults_ = faults_of(history);
    for (EventIndex e = 0; e < history.size(); ++e) {
      if (history.process(e) != kNemesis) end_ = std::max(end_, history.time(e));
    }
  }

  void run() {
    Value heals = Value::list();
    std::int64_t slowest = -1;
    for (const Fault& fault : faults_) {
      if (fault.healed < 0) continue;
      heals.items().push_back(look(fault));
      const Value* took = heals.items().back().find("took_s");
      if (took != nullptr && took->is_real() && (slowest < 0 || took->real() > worst_s_)) {
        slowest = fault.id;
        worst_s_ = took->real();
      }
    }
    Value& details = result_.details;
    if (settings_.judges()) details.set("bound_s", settings_.bound_s);
    details.set("healings", static_cast<std::int64_t>(heals.items().size()));
    details.set("judged", judged_);
    if (slowest >= 0) {
      details.set("slowest_fault", slowest);
      details.set("slowest_s", worst_s_);
    }
    details.set("heals", std::move(heals));
    if (!result_.anomalies.empty()) {
      result_.verdict = Verdict::invalid;
    } else if (settings_.judges() && judged_ == 0) {
      result_.verdict = Verdict::unknown;
      result_.reason = "there is a bound of " + seconds(settings_.bound_s) +
                       ", but after no healing were the clients at work for so long without another fault";
    } else {
      result_.verdict = Verdict::valid;
    }
  }

 private:
  // Whether a further fault was in force between two moments.
  const Fault* disturbing(const Fault& fault, std::int64_t from, std::int64_t to) const {
    for (const Fault& other : faults_) {
      if (other.id != fault.id && other.inject <= to && other.last >= from) return &other;
    }
    return nullptr;
  }

  Value look(const Fault& fault) {
    Value out = Value::map({{"id", fault.id}, {"fault", fault.kind}, {"healed_ns", fault.healed}});
    Value nodes = Value::map();
    std::int64_t first = kNever;
    std::int64_t all = lanes_.empty() ? kNever : 0;
    for (const Lane& lane : lanes_) {
      const std::int64_t served = served_after(lane, fault.healed);
      const std::int64_t took = served == kNever ? kNever : served - fault.healed;
      first = std::min(first, took);
      all = std::max(all, took);
      if (!lane.node.empty()) nodes.set(lane.node, took == kNever ? Value() : Value(static_cast<double>(took) / 1e9));
    }
    if (first != kNever) out.set("first_s", static_cast<double>(first) / 1e9);
    if (all != kNever) out.set("took_s", static_cast<double>(all) / 1e9);
    if (!nodes.entries().empty()) out.set("nodes", std::move(nodes));
    const std::int64_t until = settings_.judges() ? fault.healed + settings_.bound_ns()
                               : all == kNever    ? end_
                                                  : fault.healed + all;
    const Fault* other = disturbing(fault, fault.healed, std::max(fault.healed, until));
    if (other != nullptr)
      out.set("meanwhile", "fault " + std::to_string(other->id) + " (" + other->kind + ") was in force");
    if (settings_.judges()) out.set("verdict", judge(fault, until, other));
    return out;
  }

  std::string judge(const Fault& fault, std::int64_t until, const Fault* other) {
    bool in_time = !lanes_.empty();
    bool slow = false;
    for (const Lane& lane : lanes_) {
      if (served_after(lane, fault.healed) <= until) continue;
      in_time = false;
      if (other != nullptr) continue;
      auto proof = futile(lane, fault.healed, until);
      if (proof.empty()) continue;
      slow = true;
      accuse(fault, lane, std::move(proof));
    }
    if (in_time || slow) ++judged_;
    if (in_time) return "in time";
    if (slow) return "too slow";
    return other != nullptr ? "not judged: another fault was in force" : "not judged: the clients were not at work";
  }

  void accuse(const Fault& fault, const Lane& lane, std::vector<EventIndex> proof) {
    Anomaly anomaly;
    anomaly.type = "slow-recovery";
    const std::string who = lane.node.empty() ? "the clients" : "the clients of " + lane.node;
    const std::string name = "fault " + std::to_string(fault.id) + " (" + fault.kind + ")";
    const std::int64_t served = served_after(lane, fault.healed);
    const std::string instead =
        served == kNever ? "never again" : "not before " + seconds(served - fault.healed) + " had passed";
    anomaly.explanation = "after " + name + " was healed, at " + seconds(fault.healed) + ", " + who + " succeeded " +
                          instead + "; the bound is " + seconds(settings_.bound_s);
    anomaly.sentences = {
        name + " was healed at " + seconds(fault.healed) + ", and no other fault was in force until the bound of " +
            seconds(settings_.bound_s) + " was over",
        "of " + who + ", " + std::to_string(proof.size()) + " operations began in that time and none succeeded",
        who + " succeeded " + instead,
    };
    if (proof.size() > kOperationsShown) proof.resize(kOperationsShown);
    anomaly.operations = std::move(proof);
    result_.anomalies.push_back(std::move(anomaly));
  }

  const History& history_;
  CheckResult& result_;
  Settings settings_;
  std::vector<Lane> lanes_;
  std::vector<Fault> faults_;
  std::int64_t end_ = 0;
  std::int64_t judged_ = 0;
  double worst_s_ = 0;
};

class RecoveryChecker final : public Checker {
 public:
  [[nodiscard]] std::string_view name() const override { return "recovery"; }

  [[nodiscard]] CheckResult check(const History& history, const CheckOptions& options) const override {
    CheckResult result;
    result.checker = "recovery";
    result.algorithm = "measuring";
    Judge(history, options, result).run();
    return result;
  }
};

}  // namespace

std::shared_ptr<const Checker> recovery_checker() { return std::make_shared<RecoveryChecker>(); }

std::vector<AnomalyEntry> recovery_anomalies() {
  return {
      {"unrecovered", "a node did not serve again after the faults were healed, though it had to survive them"},
      {"slow-recovery", "after a fault was healed, the clients did not succeed again within the bound that was set"},
  };
}

}  // namespace ordeal
