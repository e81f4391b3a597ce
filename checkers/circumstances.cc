#include "checkers/circumstances.h"

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <limits>
#include <set>

#include "base/names.h"
#include "base/text.h"
#include "checkers/history/fault_record.h"
#include "checkers/model_catalogue.h"
#include "checkers/workload/workload_checkers.h"

namespace ordeal {
namespace {

constexpr std::size_t kMaxFaultsNamed = 3;
constexpr std::size_t kMaxNodesNamed = 4;
constexpr std::size_t kMaxOperationsAsked = 200;
// The kind of an "error" of an operation that is ok, by which a client says how it was carried out.
constexpr std::string_view kEvidence = "evidence";

struct Interval {
  std::int64_t from = 0, to = 0;
  [[nodiscard]] bool overlaps(const Interval& other) const { return from <= other.to && other.from <= to; }
};

// When the fault may have had an effect: until it was healed, or for ever. from < 0: never; it was not injected.
Interval in_force(const FaultRecord& fault) {
  const bool given_up = fault.injected_ns < 0 && !fault.error.empty();
  const std::int64_t from = given_up ? -1 : fault.inject_ns >= 0 ? fault.inject_ns : fault.injected_ns;
  const std::int64_t healed = fault.healed_ns >= 0 ? fault.healed_ns : fault.heal_confirmed_ns;
  return {from, healed < 0 ? std::numeric_limits<std::int64_t>::max() : healed};
}

std::string name_of(const FaultRecord& fault) { return fault.fault + " " + std::to_string(fault.id); }

std::string seconds(std::int64_t ns) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f s", static_cast<double>(ns) * 1e-9);
  return text;
}

class Circumstances {
 public:
  explicit Circumstances(const History& history) : history_(history) {
    for (FaultRecord& fault : fault_records(history)) {
      if (in_force(fault).from >= 0) faults_.push_back(std::move(fault));
    }
  }

  // "; partition 1 was in force on n4". Empty: the run had no faults, or no times.
  [[nodiscard]] std::string of(const Anomaly& anomaly) const {
    if (faults_.empty()) return {};
    Interval all{std::numeric_limits<std::int64_t>::max(), -1};
    std::vector<Used> used;
    for (std::size_t i = 0; i < std::min(anomaly.operations.size(), kMaxOperationsAsked); ++i) {
      const EventIndex inv = anomaly.operations[i];
      const EventIndex end = history_.partner(inv);
      const std::int64_t from = history_.time(inv);
      if (from < 0) return {};
      const Interval when{from, std::max(from, end == kNoEvent ? from : history_.time(end))};
      all = {std::min(all.from, when.from), std::max(all.to, when.to)};
      used.push_back({when, history_.node_of(history_.process(inv))});
    }
    if (used.empty()) return {};
    std::vector<std::string> told;
    for (const FaultRecord& fault : faults_) {
      if (const std::string one = meanwhile(fault, used); !one.empty()) told.push_back(one);
    }
    if (told.empty()) return "; " + nothing_in_force(all);
    const std::size_t more = told.size() - std::min(told.size(), kMaxFaultsNamed);
    told.resize(told.size() - more);
    if (more > 0) told.push_back(std::to_string(more) + " more faults were in force");
    return "; " + joined(told);
  }

 private:
  // An operation of the anomaly: when, and which node served it.
  struct Used {
    Interval when;
    std::string node;
  };

  // What the fault has to do with the operations. Empty: it was not in force under any of them.
  [[nodiscard]] static std::string meanwhile(const FaultRecord& fault, const std::vector<Used>& used) {
    const Interval span = in_force(fault);
    std::set<std::string> hit;  // nodes of the operations
    bool under = false;
    for (const Used& one : used) {
      if (!span.overlaps(one.when)) continue;
      under = true;
      if (std::find(fault.nodes.begin(), fault.nodes.end(), one.node) != fault.nodes.end()) hit.insert(one.node);
    }
    if (!under) return {};
    std::vector<std::string> nodes(hit.begin(), hit.end());
    if (const std::string apart = cut_off(fault, nodes); !apart.empty()) return apart;
    if (nodes.empty()) nodes = fault.nodes;
    std::string where = nodes.empty() ? "" : " on " + joined(cut(std::move(nodes)));
    return name_of(fault) + " was in force" + where + (fault.confirmed_ns < 0 ? ", though never confirmed" : "");
  }

  // "n4 was cut off from n1 and n2 by partition 1", where the fault's description says whom each node no longer heard.
  // Empty: it does not, or two nodes are too many to say it of.
  [[nodiscard]] static std::string cut_off(const FaultRecord& fault, const std::vector<std::string>& nodes) {
    const Value* drops = fault.description.is_map() ? fault.description.find("drops") : nullptr;
    if (drops == nullptr || !drops->is_map() || nodes.empty() || nodes.size() > 2) return {};
    std::string out;
    for (const std::string& node : nodes) {
      std::vector<std::string> from;
      const Value* unheard = drops->find(node);
      if (unheard == nullptr || !unheard->is_list()) continue;
      for (const Value& other : unheard->items()) {
        if (other.is_string()) from.push_back(other.string());
      }
      if (!from.empty())
        out += (out.empty() ? "" : " and ") + node + " was cut off from " + joined(cut(std::move(from))) + " by " +
               name_of(fault);
    }
    return out;
  }

  [[nodiscard]] static std::vector<std::string> cut(std::vector<std::string> nodes) {
    if (nodes.size() <= kMaxNodesNamed) return nodes;
    const std::size_t more = nodes.size() - kMaxNodesNamed;
    nodes.resize(kMaxNodesNamed);
    nodes.push_back(std::to_string(more) + " more");
    return nodes;
  }

  [[nodiscard]] std::string nothing_in_force(const Interval& all) const {
    const FaultRecord* last = nullptr;  // that was healed before
    for (const FaultRecord& fault : faults_) {
      if (in_force(fault).to < all.to && (last == nullptr || in_force(fault).to > in_force(*last).to)) last = &fault;
    }
    if (last == nullptr) return "no fault had been injected yet";
    return "no fault was in force; the last, " + name_of(*last) + ", had been healed " +
           seconds(all.to - in_force(*last).to) + " before";
  }

  const History& history_;
  std::vector<FaultRecord> faults_;
};

// How the operations of an anomaly were carried out, where their client said so (kEvidence): how long each took, for
// how long they overlapped, and what the client said. A race of a millisecond is no stall of two seconds, and the index
// by which all of them went is the one to look at. Of many, what they have in common.
class Evidence {
 public:
  static constexpr std::size_t kMaxOperations = 6;
  static constexpr std::size_t kMaxSayings = 6;
  explicit Evidence(const History& history) : history_(history) {}

  // In short at the end of the explanation, and a sentence for each operation, or for each thing that clients said of
  // several. Nothing when no client said anything.
  void add_to(Anomaly& anomaly) const {
    std::vector<Carried> all;
    for (const EventIndex inv : anomaly.operations) {
      if (inv >= history_.size()) return;
      all.push_back(carried(inv));
    }
    if (std::none_of(all.begin(), all.end(), [](const Carried& one) { return one.said != nullptr; })) return;
    const bool many = all.size() > kMaxOperations;
    anomaly.explanation += "; " + (many ? range(all) : each(all)) + by_which(all);
    const std::vector<std::string> sentences = many ? of_each_saying(all) : of_each(all);
    anomaly.sentences.insert(anomaly.sentences.end(), sentences.begin(), sentences.end());
  }

 private:
  struct Carried {
    std::string index;
    std::int64_t from = -1, to = -1;    // to < from: not known
    const std::string* said = nullptr;  // nothing
    [[nodiscard]] bool is_timed() const { return from >= 0 && to >= from; }
    [[nodiscard]] std::string took() const { return is_timed() ? " took " + time(to - from) : " has no known end"; }
  };

  [[nodiscard]] Carried carried(EventIndex inv) const {
    Carried out{std::to_string(history_.index(inv)), history_.time(inv)};
    const EventIndex end = history_.partner(inv);
    if (end == kNoEvent) return out;
    out.to = history_.time(end);
    const EventError* error = history_.error(end);
    if (error != nullptr && error->kind == kEvidence) out.said = &error->message;
    return out;
  }

  static std::string each(const std::vector<Carried>& all) {
    std::vector<std::string> took;
    Interval common{0, std::numeric_limits<std::int64_t>::max()};  // when all of them were open
    for (const Carried& one : all) {
      took.push_back(one.index + one.took());
      common = one.is_timed() ? Interval{std::max(common.from, one.from), std::min(common.to, one.to)} : Interval{1, 0};
    }
    if (all.size() == 1) return took.front();
    return joined(took) + (common.from < common.to ? ", and all were open at once for " + time(common.to - common.from)
                                                   : ", and at no moment were all of them open");
  }

  static std::string range(const std::vector<Carried>& all) {
    std::int64_t shortest = std::numeric_limits<std::int64_t>::max(), longest = -1;
    std::size_t open = 0;
    for (const Carried& one : all) {
      open += one.is_timed() ? 0 : 1;
      if (!one.is_timed()) continue;
      shortest = std::min(shortest, one.to - one.from);
      longest = std::max(longest, one.to - one.from);
    }
    std::string out = "of the " + std::to_string(all.size()) + " operations ";
    if (longest >= 0) out += "the shortest took " + time(shortest) + ", the longest " + time(longest);
    if (open > 0)
      out += (longest >= 0 ? ", and " : "") + std::to_string(open) + (open == 1 ? " has" : " have") + " no known end";
    return out;
  }

  static std::string by_which(const std::vector<Carried>& all) {
    std::set<std::string> scans;
    for (const Carried& one : all) {
      if (one.said == nullptr) continue;
      for (const std::string& part : split(*one.said, ';')) {
        if (part.find(" Scan") != std::string::npos) scans.emplace(trimmed(part));
      }
    }
    return scans.empty() ? "" : "; by " + joined({scans.begin(), scans.end()});
  }

  static std::vector<std::string> of_each(const std::vector<Carried>& all) {
    std::vector<std::string> out;
    for (const Carried& one : all) {
      out.push_back("Operation " + one.index + one.took() + (one.said == nullptr ? "" : ": " + *one.said) + ".");
    }
    return out;
  }

  // In the order in which they were first said.
  static std::vector<std::string> of_each_saying(const std::vector<Carried>& all) {
    std::vector<std::pair<const std::string*, std::vector<std::string>>> sayings;
    for (const Carried& one : all) {
      if (one.said == nullptr) continue;
      auto found =
          std::find_if(sayings.begin(), sayings.end(), [&](const auto& other) { return *other.first == *one.said; });
      if (found == sayings.end()) found = sayings.insert(sayings.end(), {one.said, {}});
      found->second.push_back(one.index);
    }
    std::vector<std::string> out;
    for (auto& [said, of] : sayings) {
      if (out.size() == kMaxSayings) {
        out.push_back("Of others " + std::to_string(sayings.size() - kMaxSayings) + " more things were said.");
        break;
      }
      const std::size_t more = of.size() > kMaxOperations ? of.size() - kMaxOperations : 0;
      of.resize(of.size() - more);
      if (more > 0) of.push_back(std::to_string(more) + " more");
      out.push_back((of.size() == 1 ? "Operation " : "Operations ") + joined(of) + ": " + *said + ".");
    }
    return out;
  }

  static std::string time(std::int64_t ns) {
    char text[32];
    std::snprintf(text, sizeof text, ns < 1'000'000'000 ? "%.2f ms" : "%.2f s",
                  static_cast<double>(ns) * (ns < 1'000'000'000 ? 1e-6 : 1e-9));
    return text;
  }

  const History& history_;
};

// One name may mean a little more or less elsewhere: a checker's own words come first.
std::string meaning_of(const std::string& checker, const std::string& type) {
  if (const WorkloadChecker* entry = find_workload_checker(checker); entry != nullptr) {
    for (const auto& [name, help] : entry->anomalies) {
      if (name == type) return help;
    }
  }
  for (const AnomalyEntry& entry : anomaly_catalogue()) {
    if (entry.name == type) return entry.help;
  }
  return {};
}

}  // namespace

void add_circumstances(const History& history, CheckResult& result) {
  if (result.anomalies.empty()) return;
  const Circumstances circumstances(history);
  const Evidence evidence(history);
  for (Anomaly& anomaly : result.anomalies) {
    anomaly.meaning = meaning_of(result.checker, anomaly.type);
    anomaly.explanation += circumstances.of(anomaly);
    evidence.add_to(anomaly);
  }
  std::stable_sort(result.anomalies.begin(), result.anomalies.end(),
                   [](const Anomaly& a, const Anomaly& b) { return a.operations.size() < b.operations.size(); });
}

}  // namespace ordeal
