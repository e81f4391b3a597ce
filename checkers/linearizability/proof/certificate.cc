#include "checkers/linearizability/proof/certificate.h"

#include <algorithm>
#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <vector>

namespace ordeal {
namespace {

// A small machine that takes operations one by one and refuses what the data type does not allow.
struct Machine {
  virtual ~Machine() = default;
  // `asked`: the invocation's value; `got`: the completion's when it is ok, nullptr when nobody knows.
  virtual bool take(const std::string& f, const Value& asked, const Value* got, std::int64_t process) = 0;
};

bool is_nil_or_empty(const Value& v) {
  return v.is_nil() || (v.is_string() && v.string().empty()) || (v.is_list() && v.items().empty());
}

struct RegisterMachine final : Machine {
  std::optional<Value> value;  // nothing: not known yet
  bool take(const std::string& f, const Value& asked, const Value* got, std::int64_t) override {
    if (f == "read") {
      if (value && got != nullptr && *value != *got) return false;
      if (got != nullptr) value = *got;
      return true;
    }
    const Value& argument = asked.is_nil() && got != nullptr ? *got : asked;
    if (f == "write") {
      value = argument;
      return true;
    }
    if (f != "cas" || !argument.is_list() || argument.items().size() != 2) return false;
    if (value && *value != argument.items()[0]) return false;
    value = argument.items()[1];
    return true;
  }
};

struct VersionedMachine final : Machine {
  std::int64_t version = 0;
  Value value;
  bool nil_unknown = false;
  bool take(const std::string& f, const Value& asked, const Value* got, std::int64_t) override {
    const Value& pair = got != nullptr && got->is_list() ? *got : asked;
    const Value& wanted = pair.items()[1];
    const Value seen = got != nullptr ? pair.items()[0] : Value();
    if (f == "read") {
      if (!seen.is_nil() && seen.integer() != version) return false;
      return (wanted.is_nil() && nil_unknown) || wanted == value;
    }
    ++version;
    if (!seen.is_nil() && seen.integer() != version) return false;
    if (f == "cas" && wanted.items()[0] != value) return false;
    value = f == "cas" ? wanted.items()[1] : wanted;
    return true;
  }
};

struct KvMachine final : Machine {
  std::string value;
  bool take(const std::string& f, const Value& asked, const Value* got, std::int64_t) override {
    if (f == "get" || f == "read") return got == nullptr || (got->is_nil() ? value.empty() : *got == Value(value));
    const Value& argument = asked.is_nil() && got != nullptr ? *got : asked;
    value = f == "append" ? value + argument.string() : argument.string();
    return true;
  }
};

struct CounterMachine final : Machine {
  std::optional<std::int64_t> n;
  bool take(const std::string& f, const Value& asked, const Value* got, std::int64_t) override {
    if (f == "read" || f == "get") {
      if (n && got != nullptr && *got != Value(*n)) return false;
      if (got != nullptr) n = got->integer();
      return true;
    }
    if (f.starts_with("fetch") || f == "add-and-get") {
      const std::int64_t delta = asked.is_list()  ? asked.items()[0].integer()
                                 : got != nullptr ? got->items()[0].integer()
                                                  : asked.integer();
      if (got != nullptr) {
        const std::int64_t old = got->items()[1].integer() - (f == "add-and-get" ? delta : 0);
        if (n && *n != old) return false;
        n = old;
      }
      if (n) *n += delta;
      return true;
    }
    const Value& argument = asked.is_nil() && got != nullptr ? *got : asked;
    const std::int64_t delta = argument.is_nil() ? 1 : argument.integer();
    if (n) *n += f.starts_with("dec") ? -delta : delta;
    return true;
  }
};

struct SetMachine final : Machine {
  std::set<Value> elements;
  bool take(const std::string& f, const Value& asked, const Value* got, std::int64_t) override {
    if (f == "read") {
      if (got == nullptr) return true;
      if (is_nil_or_empty(*got)) return elements.empty();
      return got->items().size() == elements.size() &&
             std::all_of(got->items().begin(), got->items().end(),
                         [&](const Value& v) { return elements.count(v) != 0; });
    }
    if (f == "contains") return got == nullptr || (elements.count(got->items()[0]) != 0) == got->items()[1].boolean();
    const Value& argument = asked.is_nil() && got != nullptr ? *got : asked;
    if (f == "add")
      elements.insert(argument);
    else
      elements.erase(argument);
    return true;
  }
};

struct LogMachine final : Machine {
  Value::List items;
  bool take(const std::string& f, const Value& asked, const Value* got, std::int64_t) override {
    if (f == "append") {
      items.push_back(asked.is_nil() && got != nullptr ? *got : asked);
      return true;
    }
    if (got == nullptr) return true;
    const std::size_t from = asked.is_integer() ? std::min(items.size(), static_cast<std::size_t>(asked.integer())) : 0;
    const Value::List rest(items.begin() + static_cast<std::ptrdiff_t>(from), items.end());
    return got->is_nil() ? rest.empty() : *got == Value(rest);
  }
};

// Queue, stack and the others differ in which element is taken. Which one a crashed dequeue of an unordered queue took
// is not in the certificate; the searches keep those out of it where they can, and the oldest is assumed here.
struct QueueMachine final : Machine {
  std::deque<Value> items;
  std::string model;
  bool take(const std::string& f, const Value& asked, const Value* got, std::int64_t) override {
    if (f == "enqueue" || f == "push" || f == "insert" || f == "offer") {
      const Value& argument = asked.is_nil() && got != nullptr ? *got : asked;
      auto place = items.end();
      if (model == "priority-queue") place = std::lower_bound(items.begin(), items.end(), argument);
      items.insert(place, argument);
      return true;
    }
    if (got != nullptr && got->is_nil()) return items.empty();
    if (items.empty()) return got == nullptr;
    auto place = model == "stack" ? items.end() - 1 : items.begin();
    if (model == "unordered-queue" && got != nullptr) place = std::find(items.begin(), items.end(), *got);
    if (place == items.end() || (got != nullptr && *place != *got)) return false;
    items.erase(place);
    return true;
  }
};

struct LockMachine final : Machine {
  std::multiset<std::int64_t> holders;
  std::string model;
  std::size_t permits = 1;
  std::optional<std::int64_t> last_token;
  bool take(const std::string& f, const Value&, const Value* got, std::int64_t process) override {
    const std::int64_t me = model == "mutex" ? 0 : process;
    if (f == "release" || f == "unlock") {
      const auto mine = holders.find(me);
      if (mine == holders.end()) return false;
      holders.erase(mine);
      return true;
    }
    const bool again = model == "reentrant-mutex" && holders.count(me) != 0;
    if (holders.size() >= permits && !again) return false;
    if (model == "fenced-mutex") {
      if (got != nullptr) {
        if (last_token && got->integer() <= *last_token) return false;
        last_token = got->integer();
      } else if (last_token) {
        ++*last_token;
      }
    }
    holders.insert(me);
    return true;
  }
};

struct UniqueMachine final : Machine {
  std::set<Value> given;
  bool take(const std::string&, const Value&, const Value* got, std::int64_t) override {
    return got == nullptr || given.insert(*got).second;
  }
};

std::unique_ptr<Machine> make_machine(const CheckOptions& options, const History& history) {
  const std::string& m = options.model;
  const bool known = options.initial && !options.initial->is_nil();
  if (m == "register" || m == "cas-register" || (m == "multi-register" && !history.find_function("txn"))) {
    auto out = std::make_unique<RegisterMachine>();
    if (!options.initial_unknown) out->value = options.initial.value_or(Value());
    return out;
  }
  if (m == "versioned-register") {
    auto out = std::make_unique<VersionedMachine>();
    if (known) out->version = options.initial->items()[0].integer(), out->value = options.initial->items()[1];
    out->nil_unknown = options.nil_reads == NilReads::unknown;
    return out;
  }
  if (m == "kv") {
    auto out = std::make_unique<KvMachine>();
    if (known) out->value = options.initial->string();
    return out;
  }
  if (m == "counter" || m == "fetch-add") {
    auto out = std::make_unique<CounterMachine>();
    if (!options.initial_unknown) out->n = known ? options.initial->integer() : 0;
    return out;
  }
  if (m == "set") {
    auto out = std::make_unique<SetMachine>();
    if (known) out->elements.insert(options.initial->items().begin(), options.initial->items().end());
    return out;
  }
  if (m == "log") {
    auto out = std::make_unique<LogMachine>();
    if (known) out->items = options.initial->items();
    return out;
  }
  if (m == "stack" || m == "queue" || m == "priority-queue" || m == "unordered-queue") {
    auto out = std::make_unique<QueueMachine>();
    out->model = m;
    if (known) out->items.assign(options.initial->items().begin(), options.initial->items().end());
    if (m == "priority-queue") std::sort(out->items.begin(), out->items.end());
    return out;
  }
  if (m == "mutex" || m.ends_with("-mutex") || m == "mutex-owner" || m.starts_with("semaphore-")) {
    auto out = std::make_unique<LockMachine>();
    out->model = m;
    if (m.starts_with("semaphore-")) out->permits = static_cast<std::size_t>(std::stoul(m.substr(10)));
    return out;
  }
  if (m == "unique-ids") return std::make_unique<UniqueMachine>();
  return nullptr;
}

// Reads that saw nothing known constrain nothing and are in no certificate.
bool must_be_there(const History& history, const CheckOptions& options, OperationEvents op) {
  if (history.outcome(op) != EventType::ok) return false;
  const std::string_view f = history.f_name(op.invocation);
  if (options.nil_reads != NilReads::unknown || f != "read") return true;
  const Value got = history.values().to_value(history.value(op.completion));
  if (options.model == "versioned-register" && got.is_list())
    return !got.items()[0].is_nil() || !got.items()[1].is_nil();
  return !got.is_nil();
}

}  // namespace

std::string verify_certificate(const History& history, const CheckOptions& options, const CheckResult& result) {
  if (make_machine(options, history) == nullptr)
    return "not verified: there is no second specification of " + options.model;
  const auto name = [&](EventIndex e) { return "the operation of event " + std::to_string(history.index(e)); };
  std::set<EventIndex> placed;
  for (const auto& [key, order] : result.certificate) {
    const auto machine = make_machine(options, history);
    // Real time: nothing may come after an operation that began after it had returned. Walking backwards, the earliest
    // return seen so far must not lie before the present invocation.
    EventIndex earliest_return = kNoEvent;
    for (auto e = order.rbegin(); e != order.rend(); ++e) {
      if (earliest_return < *e) return name(*e) + " is placed before one that had already returned when it began";
      const EventIndex end = history.partner(*e);
      if (end != kNoEvent && history.type(end) == EventType::ok) earliest_return = std::min(earliest_return, end);
    }
    for (const EventIndex e : order) {
      if (e >= history.size() || history.type(e) != EventType::invoke)
        return "the order names an event that is no invocation";
      if (!placed.insert(e).second) return name(e) + " is placed twice";
      if (history.values().to_value(history.key(e)) != key) return name(e) + " belongs to another key";
      const OperationEvents op{e, history.partner(e)};
      if (history.outcome(op) == EventType::fail) return name(e) + " failed, and is placed all the same";
      const bool ok = history.outcome(op) == EventType::ok;
      const Value asked = history.values().to_value(history.value(e));
      const Value got = ok ? history.values().to_value(history.value(op.completion)) : Value();
      if (!machine->take(std::string(history.f_name(e)), asked, ok ? &got : nullptr, history.process(e))) {
        return name(e) + " (" + history.describe(op) + ") is not possible where it is placed";
      }
    }
  }
  for (const OperationEvents op : history.operations()) {
    if (must_be_there(history, options, op) && placed.count(op.invocation) == 0)
      return name(op.invocation) + " is missing";
  }
  return "";
}

}  // namespace ordeal
