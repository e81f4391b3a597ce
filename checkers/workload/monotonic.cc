// The checker "monotonic", after Jepsen's CockroachDB test of this name.
//
// `stamp` inserts a row with the greatest value + 1 and the database's timestamp, in one transaction, and returns it:
// {"val" n, "sts" timestamp}; `add`, as Jepsen has it, does the same and returns a row that is certainly there; `read`
// returns the list of all rows, sorted by timestamp. Timestamps are whole numbers, of any length. All is strictly
// serializable, and the timestamps agree with that order:
//
//   value-reorder        of two rows, the one with the later timestamp has a smaller value; or a stamp that began after
//                        another one was over got no greater value, or an earlier timestamp
//   unsorted-rows        a read is not sorted by timestamp
//   duplicate-element    a value twice in one read, or returned by two stamps
//   lost-element         a row that was returned by an operation that was over before a read began is not in that read
//   unexpected-element   a read has more rows that no stamp returned than stamps of unknown outcome can have made
//
// Cost: O(all rows of all reads + reads times rows).
#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>
#include <vector>

#include "checkers/workload/judgement.h"
#include "checkers/workload/workload_checkers.h"

namespace ordeal::work {
namespace {

// Whole numbers of any length compare by length, then by digits.
struct Stamp {
  std::string digits;
  bool operator<(const Stamp& other) const {
    if (digits.size() != other.digits.size()) return digits.size() < other.digits.size();
    return digits < other.digits;
  }
};

class Monotonic {
 public:
  explicit Monotonic(Judgement& in) : in_(in) {}

  void run() {
    if (!in_.understands({"add", "stamp", "read"})) return;
    for (const OperationEvents op : in_.operations()) {
      if (in_.f(op) == "read") {
        if (in_.ok(op) && !in_.takes_elements(op)) return;
        if (in_.ok(op)) reads_.push_back(op);
      } else if (!write(op)) {
        return;
      }
    }
    for (const OperationEvents op : reads_) {
      for (const ValueId id : in_.items(in_.seen(op))) {
        if (!row(id)) return in_.refuse(op, R"(a list of rows {"val" n, "sts" timestamp})");
        learn(name_of(id), op);
      }
    }
    in_.counter("reads") = static_cast<std::int64_t>(reads_.size());
    stamps_in_order();
    for (const OperationEvents op : reads_) {
      look(op);
      absent(op);
      ghosts(op);
    }
    if (reads_.empty())
      in_.inconclusive("no read succeeded, so nothing is known about the order");
    else if (in_.counter("adds") == 0)
      in_.inconclusive("no add succeeded, so nothing was put to the test");
    else if (!observed_)
      in_.inconclusive("no read began after an add was over, or saw a row, so nothing is known about the order");
  }

 private:
  using RowName = std::pair<ValueId, ValueId>;  // value and timestamp
  struct Row {
    std::int64_t value = 0;
    Stamp stamp;
    RowName name;
  };
  struct Stamped {
    OperationEvents op;
    Row row;
  };

  // A row that operations returned, and its name; nullptr when it is none. Each is looked at once.
  const Row* row(ValueId id) {
    const auto [place, fresh] = rows_.try_emplace(id);
    if (fresh) place->second = parsed(id);
    return place->second ? &*place->second : nullptr;
  }
  std::optional<Row> parsed(ValueId id) const {
    const auto value = in_.integer(id, "val");
    if (!value) return std::nullopt;
    const ValueId stamp = in_.values().member(id, "sts");
    std::string digits;
    if (in_.integer(stamp))
      digits = std::to_string(*in_.integer(stamp));
    else if (in_.is(stamp, Value::Kind::string))
      digits = in_.values().as_string(stamp);
    else if (in_.is(stamp, Value::Kind::real))
      digits = in_.values().to_value(stamp).exact_digits();  // a whole number beyond 64 bits
    if (digits.empty() || digits.find_first_not_of("0123456789") != std::string::npos) return std::nullopt;
    return Row{*value, {digits}, {in_.values().member(id, "val"), in_.one_name(stamp)}};
  }
  RowName name_of(ValueId id) { return row(id)->name; }
  std::string shown(const RowName& name) const { return in_.shown(name.first) + " (" + in_.shown(name.second) + ")"; }

  // A row is there from when an operation that returned it was over.
  void learn(const RowName& name, OperationEvents op) {
    const auto [place, fresh] = known_.try_emplace(name, op);
    if (!fresh && op.completion < place->second.completion) place->second = op;
  }

  bool write(OperationEvents op) {
    if (in_.failed(op)) return true;
    const bool own = in_.f(op) == "stamp";
    adds_ = adds_ || !own;
    if (!in_.ok(op)) {
      crashed_.push_back(op.invocation);
      return true;
    }
    const Row* seen = row(in_.seen(op));
    if (seen == nullptr) {
      in_.refuse(op, R"(a row {"val" n, "sts" timestamp})");
      return false;
    }
    ++in_.counter("adds");
    learn(name_of(in_.seen(op)), op);
    if (own) stamped_[name_of(in_.seen(op))].push_back({op, *seen});
    return true;
  }

  // What stamps returned, against each other and real time.
  void stamps_in_order() {
    std::map<std::int64_t, OperationEvents> by_value;
    std::vector<const Stamped*> begun;
    for (const auto& [name, all] : stamped_) {
      for (const Stamped& one : all) {
        begun.push_back(&one);
        const auto [place, fresh] = by_value.try_emplace(one.row.value, one.op);
        if (fresh) continue;
        in_.tell("duplicate-element", {place->second.invocation, one.op.invocation},
                 in_.named(place->second) + " and " + in_.named(one.op) + " both inserted the value " +
                     std::to_string(one.row.value));
      }
    }
    std::vector<const Stamped*> ended = begun;
    std::sort(begun.begin(), begun.end(), [](auto a, auto b) { return a->op.invocation < b->op.invocation; });
    std::sort(ended.begin(), ended.end(), [](auto a, auto b) { return a->op.completion < b->op.completion; });
    const Stamped *greatest = nullptr, *latest = nullptr;  // of those over before the one at hand began
    std::size_t next = 0;
    for (const Stamped* one : begun) {
      for (; next < ended.size() && ended[next]->op.completion < one->op.invocation; ++next) {
        if (greatest == nullptr || greatest->row.value < ended[next]->row.value) greatest = ended[next];
        if (latest == nullptr || latest->row.stamp < ended[next]->row.stamp) latest = ended[next];
      }
      const Stamped* before = nullptr;
      if (greatest != nullptr && one->row.value < greatest->row.value) before = greatest;
      if (latest != nullptr && one->row.stamp < latest->row.stamp) before = latest;
      if (before == nullptr) continue;
      in_.tell("value-reorder", {before->op.invocation, one->op.invocation},
               in_.named(one->op) + " returned value " + std::to_string(one->row.value) + " and timestamp " +
                   one->row.stamp.digits + ", although " + in_.named(before->op) +
                   ", which was over before, had returned " + std::to_string(before->row.value) + " and " +
                   before->row.stamp.digits);
    }
  }

  void absent(OperationEvents read) {
    in_.work(known_.size());
    for (const auto& [name, by] : known_) {
      if (by.completion > read.invocation) continue;
      observed_ = true;
      if (seen_.contains(name)) continue;
      in_.tell("lost-element", {by.invocation, read.invocation},
               "row " + shown(name) + " was there (" + in_.event(by.completion) + ") before " + in_.named(read) +
                   " began, which lacks it");
    }
  }

  // Of the stamps that returned a greater value the one that was over first.
  const Stamped* first_over_above(std::int64_t value) {
    if (first_over_.empty()) {
      for (const auto& [name, all] : stamped_) {
        for (const Stamped& one : all) first_over_.emplace(one.row.value, &one);
      }
      const Stamped* first = nullptr;
      for (auto place = first_over_.rbegin(); place != first_over_.rend(); ++place) {
        if (first == nullptr || place->second->op.completion < first->op.completion) first = place->second;
        place->second = first;
      }
    }
    const auto found = first_over_.upper_bound(value);
    return found == first_over_.end() ? nullptr : found->second;
  }

  // Whether a row that no stamp had returned can be from none of unknown outcome, which is told: a stamp that began
  // later returned it, or one that was over before the first of unknown outcome began returned a greater value.
  bool too_early(const RowName& name, OperationEvents read) {
    if (const auto found = stamped_.find(name); found != stamped_.end()) {
      const OperationEvents later = found->second.front().op;
      in_.tell("unexpected-element", {read.invocation, later.invocation},
               in_.named(read) + " returned row " + shown(name) + ", which " + in_.named(later) +
                   " inserted, and that had not begun");
      return true;
    }
    const Stamped* later = first_over_above(*in_.integer(name.first));
    if (later == nullptr || crashed_.empty() || crashed_.front() < later->op.completion) return false;
    in_.tell("value-reorder", {later->op.invocation, read.invocation},
             in_.named(read) + " returned row " + shown(name) + ", which no stamp had returned; " +
                 in_.named(later->op) + " inserted a greater value, and was over before the first stamp of unknown " +
                 "outcome began");
    return true;
  }

  // Rows that no stamp returned come from stamps of unknown outcome. Adds do not say which row is theirs.
  void ghosts(OperationEvents read) {
    observed_ = observed_ || !seen_.empty();
    if (adds_) return;
    std::vector<RowName> unknown;
    for (const RowName& name : seen_) {
      const auto found = stamped_.find(name);
      if (found == stamped_.end() || found->second.front().op.invocation > read.completion) unknown.push_back(name);
    }
    std::erase_if(unknown, [&](const RowName& name) { return too_early(name, read); });
    if (unknown.empty()) return;
    const auto possible =
        std::count_if(crashed_.begin(), crashed_.end(), [&](EventIndex e) { return e < read.completion; });
    if (static_cast<std::ptrdiff_t>(unknown.size()) <= possible) return;
    in_.tell("unexpected-element", {read.invocation},
             in_.named(read) + " returned " + std::to_string(unknown.size()) +
                 " rows that no stamp had returned, such as " + shown(unknown.front()) + "; " +
                 std::to_string(possible) + " stamps of unknown outcome can have made as many");
  }

  // The rows of one read, which stay in seen_.
  void look(OperationEvents op) {
    seen_.clear();
    std::set<ValueId> values;
    const Row *last = nullptr, *greatest = nullptr;  // the row before; the greatest value with an earlier timestamp
    const Row* of_stamp = nullptr;                   // the greatest value of the timestamp at hand
    for (const ValueId id : in_.items(in_.seen(op))) {
      const Row& now = *row(id);
      seen_.insert(now.name);
      if (!values.insert(in_.values().member(id, "val")).second) {
        in_.tell("duplicate-element", {op.invocation},
                 in_.named(op) + " returned value " + std::to_string(now.value) + " twice");
      }
      if (last && now.stamp < last->stamp) {
        in_.tell("unsorted-rows", {op.invocation},
                 in_.named(op) + " returned timestamp " + now.stamp.digits + " after " + last->stamp.digits);
        return;
      }
      if (last && last->stamp < now.stamp) {
        if (!greatest || greatest->value < of_stamp->value) greatest = of_stamp;
        of_stamp = &now;
      } else if (!of_stamp || of_stamp->value < now.value) {
        of_stamp = &now;
      }
      if (greatest && now.value < greatest->value) {
        in_.tell("value-reorder", {op.invocation},
                 in_.named(op) + " returned value " + std::to_string(now.value) + " with timestamp " +
                     now.stamp.digits + ", and the greater value " + std::to_string(greatest->value) +
                     " with the earlier one " + greatest->stamp.digits);
      }
      last = &now;
    }
  }

  Judgement& in_;
  std::unordered_map<ValueId, std::optional<Row>> rows_;
  std::vector<OperationEvents> reads_;
  std::map<RowName, OperationEvents> known_;           // since its completion, by the operation that returned it
  std::map<RowName, std::vector<Stamped>> stamped_;    // what stamps returned
  std::map<std::int64_t, const Stamped*> first_over_;  // by value: of those from it on the one that was over first
  std::vector<EventIndex> crashed_;                    // invocations of those of unknown outcome
  std::set<RowName> seen_;                             // by the read at hand
  bool adds_ = false;                                  // operations that do not return their own row
  bool observed_ = false;
};

}  // namespace

WorkloadChecker monotonic() {
  return {"monotonic",
          "rows whose values count up: their order is that of the database's timestamps",
          {"strict-serializable"},
          [](Judgement& in) { Monotonic(in).run(); },
          {{"value-reorder", "a row with a later timestamp has a smaller value"},
           {"unsorted-rows", "a read sorted by timestamp is not sorted"},
           {"duplicate-element", "a read holds an element, or a queue delivered it, more often than it was added"},
           {"lost-element", "an acknowledged element is missing from every later read"},
           {"unexpected-element", "something was read that nobody wrote, or whose write certainly failed"}}};
}

}  // namespace ordeal::work
