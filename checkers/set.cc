#include "checkers/set.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <vector>

namespace ordeal {
namespace {

// Anomalies of one kind that are told one by one; the details count all.
constexpr std::size_t kMaxTold = 10;

constexpr std::uint32_t kNoRead = 0xFFFFFFFFu;

struct Read {
  OperationEvents op;
  std::span<const ValueId> elements;
};

// What became of one element.
struct Element {
  ValueId id = kNil;
  EventIndex first_add = kNoEvent;       // the earliest invocation of an add that may have happened
  EventIndex failed_add = kNoEvent;      // the earliest add that certainly failed
  EventIndex acknowledged = kNoEvent;    // the earliest ok of an add
  EventIndex known = kNoEvent;           // since when every later read must contain it
  EventIndex known_by = kNoEvent;        // the operation that made it known (its invocation)
  bool seen = false;
  bool unexpected = false;
  // Reads by their place in the order of invocations.
  std::uint32_t last_present = kNoRead;    // the last one that contains it
  std::uint32_t last_duplicate = kNoRead;  // the last one that contains it twice
  std::uint32_t last_gap = kNoRead;        // the last one without it before last_present
  std::uint32_t ended_last = kNoRead;      // of those that contain it, the one that ended last
};

// The set of one key: gathers its operations, then judges them.
class SetOfKey {
 public:
  SetOfKey(const History& history, std::optional<Value> key, bool eventual, CheckResult& result,
           std::map<std::string, std::int64_t>& counts)
      : h_(history), key_(std::move(key)), eventual_(eventual), result_(result), counts_(counts) {}

  void add(OperationEvents op) { adds_.push_back(op); }
  void read(OperationEvents op) { reads_.push_back({op, h_.values().as_list(h_.value(op.completion))}); }

  // Judges what was given, operations in the order of their invocations. `places` is scratch, as long as the table of
  // values, all kNoPlace, and is left so.
  void judge(std::vector<std::uint32_t>& places) {
    places_ = &places;
    for (const OperationEvents op : adds_) take_add(op);
    for (std::uint32_t r = 0; r < reads_.size(); ++r) take_read(r);
    for (const Element& e : elements_) {
      if (e.seen && e.acknowledged == kNoEvent && e.first_add != kNoEvent) ++counts_["recovered"];
      look_for_absence(e);
      places[e.id] = kNoPlace;
    }
  }
  [[nodiscard]] bool observed() const { return observed_; }

  static constexpr std::uint32_t kNoPlace = 0xFFFFFFFFu;

 private:
  Element& element(ValueId id) {
    std::uint32_t& place = (*places_)[id];
    if (place == kNoPlace) {
      place = static_cast<std::uint32_t>(elements_.size());
      elements_.emplace_back().id = id;
    }
    return elements_[place];
  }
  std::string shown(ValueId id) const { return h_.values().to_json(id); }
  std::string event(EventIndex e) const { return "event " + std::to_string(h_.index(e)); }

  void take_add(OperationEvents op) {
    Element& e = element(h_.value(op.invocation));
    ++counts_["attempts"];
    if (h_.outcome(op) == EventType::fail) {
      if (e.failed_add == kNoEvent) e.failed_add = op.invocation;
      return;
    }
    if (e.first_add == kNoEvent) e.first_add = op.invocation;
    last_add_ = std::max(last_add_, op.completion != kNoEvent ? op.completion : op.invocation);
    if (h_.outcome(op) != EventType::ok) return;
    ++counts_["acknowledged"];
    e.acknowledged = std::min(e.acknowledged, op.completion);
    learn(e, op);
  }

  // `op` acknowledged or saw the element.
  static void learn(Element& e, OperationEvents op) {
    if (op.completion >= e.known) return;
    e.known = op.completion;
    e.known_by = op.invocation;
  }

  // Finds duplicates and elements that nobody added, since when elements are known, and which reads lack them.
  void take_read(std::uint32_t r) {
    const Read& read = reads_[r];
    for (const ValueId id : read.elements) {
      Element& e = element(id);
      if (e.last_present == r) {
        if (e.last_duplicate != r) duplicate(e, read);
        e.last_duplicate = r;
        continue;
      }
      if (r > 0 && e.last_present != r - 1) e.last_gap = r - 1;
      e.last_present = r;
      if (e.ended_last == kNoRead || reads_[e.ended_last].op.completion < read.op.completion) e.ended_last = r;
      if (!e.unexpected && (e.first_add == kNoEvent || e.first_add > read.op.completion)) {
        e.unexpected = true;
        unexpected(e, read);
      }
      e.seen = true;
      learn(e, read.op);
    }
  }

  void look_for_absence(const Element& e) {
    if (e.known == kNoEvent) return;
    const auto first_after = static_cast<std::uint32_t>(
        std::partition_point(reads_.begin(), reads_.end(), [&](const Read& read) { return read.op.invocation < e.known; }) -
        reads_.begin());
    if (e.seen || first_after < reads_.size()) observed_ = true;
    if (first_after == reads_.size()) {
      ++counts_[e.seen ? "stable" : "never-read"];
      return;
    }
    // The last read that had to contain it and does not: the last of all, or the last gap between those that do.
    const auto last = static_cast<std::uint32_t>(reads_.size() - 1);
    const std::uint32_t absent = e.last_present != last ? last : e.last_gap;
    if (absent == kNoRead || absent < first_after) {
      ++counts_["stable"];
      return;
    }
    const Read* present = e.ended_last == kNoRead ? nullptr : &reads_[e.ended_last];
    const bool gone = present == nullptr || present->op.completion < reads_[absent].op.invocation;
    if (gone && (!eventual_ || reads_[absent].op.invocation > last_add_)) return lost(e, reads_[absent], present);
    stale(e, reads_[absent], gone ? nullptr : present);
  }

  // Begins an anomaly, or returns nullptr when enough of this kind were told.
  Anomaly* tell(const std::string& type, const std::string& counter, std::vector<EventIndex> operations) {
    if (++counts_[counter] > static_cast<std::int64_t>(kMaxTold)) return nullptr;
    Anomaly& anomaly = result_.anomalies.emplace_back();
    anomaly.type = type;
    anomaly.key = key_;
    operations.erase(std::remove(operations.begin(), operations.end(), kNoEvent), operations.end());
    std::sort(operations.begin(), operations.end());
    operations.erase(std::unique(operations.begin(), operations.end()), operations.end());
    anomaly.operations = std::move(operations);
    return &anomaly;
  }

  std::string how_known(const Element& e) const {
    const bool by_add = e.acknowledged == e.known;
    return by_add ? "The add of " + shown(e.id) + " (" + event(e.known_by) + ") was acknowledged at " + event(e.known) + "."
                  : "A read (" + event(e.known_by) + ") saw " + shown(e.id) + " and ended at " + event(e.known) + ".";
  }
  std::string lacked(const Element& e, const Read& read) const {
    return "The read of " + event(read.op.invocation) + " by process " + h_.process_name(h_.process(read.op.invocation)) +
           " was invoked later and returned " + std::to_string(read.elements.size()) + " elements without " + shown(e.id) + ".";
  }

  void lost(const Element& e, const Read& absent, const Read* present) {
    Anomaly* a = tell("lost-element", "lost", {e.first_add, e.known_by, absent.op.invocation});
    if (a == nullptr) return;
    const bool acknowledged = e.acknowledged != kNoEvent;
    a->explanation = "element " + shown(e.id) + " was " + (acknowledged ? "acknowledged" : "seen") + " and is lost: the read of " +
                     event(absent.op.invocation) + " and all reads after it are without it";
    a->sentences = {how_known(e), lacked(e, absent)};
    a->sentences.push_back(present == nullptr ? "No read ever returned it."
                                              : "The last read that returned it (" + event(present->op.invocation) +
                                                    ") had ended before.");
  }

  void stale(const Element& e, const Read& absent, const Read* present) {
    if (h_.time(e.known) >= 0 && h_.time(absent.op.invocation) >= 0) {
      worst_ = std::max(worst_, h_.time(absent.op.invocation) - h_.time(e.known));
      counts_["longest-stale-ns"] = std::max(counts_["longest-stale-ns"], worst_);
    }
    if (eventual_) {
      ++counts_["stale"];
      return;
    }
    Anomaly* a = tell("stale-read", "stale", {e.first_add, e.known_by, absent.op.invocation});
    if (a == nullptr) return;
    a->explanation = "the read of " + event(absent.op.invocation) + " is stale: it lacks element " + shown(e.id) +
                     ", which was known before the read was invoked";
    a->sentences = {how_known(e), lacked(e, absent)};
    if (present != nullptr) {
      a->sentences.push_back("It was not lost: the read of " + event(present->op.invocation) + " returned it.");
    }
  }

  void duplicate(const Element& e, const Read& read) {
    Anomaly* a = tell("duplicate-element", "duplicated", {read.op.invocation});
    if (a == nullptr) return;
    const auto times = std::count(read.elements.begin(), read.elements.end(), e.id);
    a->explanation = "the read of " + event(read.op.invocation) + " returned element " + shown(e.id) + " " +
                     std::to_string(times) + " times";
    a->sentences = {"A set holds an element once.", "T" + a->explanation.substr(1) + "."};
  }

  void unexpected(const Element& e, const Read& read) {
    Anomaly* a = tell("unexpected-element", "unexpected", {e.first_add, e.failed_add, read.op.invocation});
    if (a == nullptr) return;
    const std::string why = e.first_add != kNoEvent ? "whose add was invoked only after the read had ended"
                            : e.failed_add != kNoEvent ? "whose add certainly failed"
                                                       : "that nobody ever added";
    a->explanation = "the read of " + event(read.op.invocation) + " returned element " + shown(e.id) + ", " + why;
    a->sentences = {"T" + a->explanation.substr(1) + "."};
    if (e.first_add != kNoEvent) {
      a->sentences.push_back("The read ended at " + event(read.op.completion) + "; the first add of " + shown(e.id) + " is " +
                             event(e.first_add) + ".");
    } else if (e.failed_add != kNoEvent) {
      a->sentences.push_back("The add of " + event(e.failed_add) + " ended in fail: it did not happen.");
    }
  }

  const History& h_;
  std::optional<Value> key_;
  bool eventual_;
  CheckResult& result_;
  std::map<std::string, std::int64_t>& counts_;
  std::vector<std::uint32_t>* places_ = nullptr;  // by value: its place in elements_
  std::vector<Element> elements_;
  std::vector<OperationEvents> adds_;
  std::vector<Read> reads_;
  EventIndex last_add_ = 0;
  std::int64_t worst_ = 0;
  bool observed_ = false;
};

class SetChecker final : public Checker {
 public:
  [[nodiscard]] std::string_view name() const override { return "set"; }

  [[nodiscard]] CheckResult check(const History& history, const CheckOptions& options) const override {
    const auto start = std::chrono::steady_clock::now();
    CheckResult result = judged(history, options);
    result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return result;
  }

 private:
  static CheckResult judged(const History& history, const CheckOptions& options) {
    CheckResult result;
    result.checker = "set";
    result.model = "set-full";
    result.algorithm = "set-full";
    result.consistency = options.consistency.empty() ? "linearizable" : options.consistency;
    if (result.consistency != "linearizable" && result.consistency != "eventual") {
      result.reason = "the set checker knows the levels linearizable and eventual, not " + result.consistency;
      return result;
    }
    const bool eventual = result.consistency == "eventual";
    std::map<std::string, std::int64_t> counts;
    for (const char* counter : {"attempts", "acknowledged", "reads", "stable", "lost", "stale", "recovered", "never-read",
                                "unexpected", "duplicated"}) {
      counts[counter] = 0;
    }
    std::map<ValueId, SetOfKey> keys;
    const auto set_of = [&](ValueId key) -> SetOfKey& {
      const std::optional<Value> value = key == kAbsent ? std::nullopt : std::optional(history.values().to_value(key));
      return keys.try_emplace(key, history, value, eventual, result, counts).first->second;
    };
    for (const OperationEvents& op : history.operations()) {
      ++result.operations;
      const std::string_view f = history.f_name(op.invocation);
      if (f == "add") {
        if (history.value(op.invocation) == kAbsent) {
          result.reason = "the add of event " + std::to_string(history.index(op.invocation)) + " has no value";
          return result;
        }
        set_of(history.key(op.invocation)).add(op);
      } else if (f == "read") {
        if (history.outcome(op) != EventType::ok) continue;
        const ValueId value = history.value(op.completion);
        if (value == kAbsent || history.values().kind(value) != Value::Kind::list) {
          result.reason = "the read of event " + std::to_string(history.index(op.completion)) +
                          " returned no list of elements but " + history.values().to_json(value);
          return result;
        }
        ++counts["reads"];
        set_of(history.key(op.invocation)).read(op);
      } else if (history.outcome(op) != EventType::fail) {
        result.reason = "the set checker knows add and read, not " + std::string(f) + " (event " +
                        std::to_string(history.index(op.invocation)) + ")";
        return result;
      }
    }
    bool observed = false;
    std::vector<std::uint32_t> places(history.values().size(), SetOfKey::kNoPlace);
    for (auto& [key, set] : keys) {
      set.judge(places);
      observed = observed || set.observed();
    }
    result.keys = keys.size();
    for (const auto& [counter, count] : counts) result.details.set(counter, count);
    if (!result.anomalies.empty()) {
      result.verdict = Verdict::invalid;
    } else if (counts["reads"] == 0) {
      result.reason = "no read succeeded, so nothing is known about the set";
    } else if (!observed) {
      result.reason = "no element was acknowledged before a read or seen by one, so nothing is known about the set";
    } else {
      result.verdict = Verdict::valid;
    }
    return result;
  }
};

}  // namespace

std::shared_ptr<const Checker> set_checker() { return std::make_shared<SetChecker>(); }

}  // namespace ordeal
