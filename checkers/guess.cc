#include "checkers/guess.h"

#include <algorithm>
#include <initializer_list>
#include <set>

#include "base/names.h"

namespace ordeal {
namespace {

using Kind = Value::Kind;

// What the operations of clients look like.
class Looks {
 public:
  explicit Looks(const History& history) : history_(history), values_(history.values()) {
    for (EventIndex e = 0; e < history.size(); ++e) {
      if (history.process(e) < 0) continue;
      if (history.f(e) != last_) fs_.emplace(history.f_name(e));
      last_ = history.f(e);
      if (history.value(e) != kAbsent) look(e);
    }
  }

  const std::set<std::string>& functions() const { return fs_; }
  bool has(const char* f) const { return fs_.contains(f); }
  bool within(std::initializer_list<const char*> allowed) const {
    return std::all_of(fs_.begin(), fs_.end(), [&](const std::string& f) {
      return std::find(allowed.begin(), allowed.end(), f) != allowed.end();
    });
  }
  bool any_micro(const char* f) const { return micros_.contains(f); }
  // All ok reads returned values of this kind; nil ones say nothing.
  bool reads(Kind kind) const { return read_kinds_.size() == 1 && read_kinds_.contains(kind); }
  // Reads were invoked with [key nil].
  bool tuples() const { return tuples_; }
  // Reads were invoked with something: a key, perhaps.
  bool reads_ask() const { return reads_ask_; }
  bool rows() const { return rows_; }
  // A write of a list: then reads of lists are nothing special.
  bool writes_lists() const { return writes_lists_; }

 private:
  void look(EventIndex e) {
    const ValueId value = history_.value(e);
    const Kind kind = values_.kind(value);
    const std::string_view f = history_.f_name(e);
    const bool invocation = history_.type(e) == EventType::invoke;
    const bool list = kind == Kind::list;
    if (list) micro_operations(values_.as_list(value));
    if (f == "write" && list) writes_lists_ = true;
    if (f != "read") return;
    if (invocation) {
      const auto parts = list ? values_.as_list(value) : std::span<const ValueId>();
      reads_ask_ = reads_ask_ || kind != Kind::nil;
      tuples_ = tuples_ || (parts.size() == 2 && parts[1] == kNil && history_.key(e) == kAbsent);
    } else if (history_.type(e) == EventType::ok && kind != Kind::nil) {
      read_kinds_.insert(kind);
      if (list && !values_.as_list(value).empty())
        rows_ = rows_ || values_.member(values_.as_list(value)[0], "sts") != kAbsent;
    }
  }
  void micro_operations(std::span<const ValueId> parts) {
    for (const ValueId part : parts) {
      if (values_.kind(part) != Kind::list || values_.as_list(part).empty()) continue;
      const ValueId f = values_.as_list(part)[0];
      if (f != last_micro_ && values_.kind(f) == Kind::string) micros_.emplace(values_.as_string(last_micro_ = f));
    }
  }

  const History& history_;
  const ValueTable& values_;
  std::set<std::string> fs_, micros_;
  FunctionId last_ = kSameFunction;
  ValueId last_micro_ = kAbsent;
  std::set<Kind> read_kinds_;
  bool tuples_ = false, reads_ask_ = false, rows_ = false, writes_lists_ = false;
};

std::string guess(const Looks& looks) {
  const bool r = looks.any_micro("r"), w = looks.any_micro("w"), append = looks.any_micro("append");
  if (looks.has("txn") && looks.within({"txn"}) && append != w && !looks.any_micro("send") && !looks.any_micro("poll"))
    return append ? "list-append" : "rw-register";
  if (looks.within({"send", "poll", "txn", "assign", "subscribe", "crash", "debug-topic-partitions"}) &&
      (looks.any_micro("send") || looks.any_micro("poll")))
    return "kafka";
  if (looks.within({"read", "write"}) && looks.has("read") && r && w) return "long-fork";
  if (looks.has("transfer") && looks.within({"transfer", "read"})) return "bank";
  if (looks.has("insert") && looks.within({"insert"})) return "g2";
  if (looks.has("generate") && looks.within({"generate"})) return "unique-ids";
  if (looks.has("campaign") && looks.within({"campaign", "resign", "leader"})) return "leader-election";
  if (looks.has("read-chain") && looks.within({"write-chain", "read-chain"})) return "sequential-writes";
  if (looks.rows() && looks.within({"add", "stamp", "read"})) return "monotonic";
  if (looks.has("add") && looks.within({"add", "read"}) && !looks.tuples()) {
    if (looks.reads(Kind::integer)) return "counter";
    if (looks.reads(Kind::list)) return "set-full";
  }
  if (looks.has("write") && looks.within({"read", "write"}) && !looks.tuples()) {
    if (!looks.reads(Kind::list)) return "register";
    return looks.writes_lists() || looks.reads_ask() ? "" : "causal-reverse";
  }
  if ((looks.has("cas") || looks.has("write")) && looks.within({"read", "write", "cas"}) && !looks.tuples())
    return "cas-register";
  if (looks.has("get") && looks.within({"get", "put", "append"})) return "kv";
  if (looks.has("drain") && looks.within({"enqueue", "dequeue", "drain"})) return "total-queue";
  if (looks.has("enqueue") && looks.within({"enqueue", "dequeue"})) return "queue";
  return "";
}

}  // namespace

Result<std::string> guessed_model(const History& history) {
  const Looks looks(history);
  if (std::string model = guess(looks); !model.empty()) return model;
  const std::vector<std::string> names(looks.functions().begin(), looks.functions().end());
  std::string problem =
      "say what the operations mean with --model or --workload (ordeal list models); the history has " +
      (names.empty() ? std::string("no client operation") : joined(names));
  if (looks.tuples()) problem += ", and its values look like tuples [key value], which want --independent";
  return fail(ErrorCode::usage, std::move(problem));
}

}  // namespace ordeal
