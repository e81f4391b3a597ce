// The second specifications: each data type once more, on values instead of interned states, for people to read.

#include "checkers/linearizability/models/specification.h"

#include <algorithm>
#include <deque>
#include <optional>
#include <set>

namespace ordeal::lin {
namespace {

bool is_nil_or_empty(const Value& v) {
  return v.is_nil() || (v.is_string() && v.string().empty()) || (v.is_list() && v.items().empty());
}

struct RegisterMachine final : Specification {
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

struct VersionedMachine final : Specification {
  bool observed(const Value& got) const override {
    return got.is_list() ? !got.items()[0].is_nil() || !got.items()[1].is_nil() : !got.is_nil();
  }
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

struct KvMachine final : Specification {
  std::string value;
  bool take(const std::string& f, const Value& asked, const Value* got, std::int64_t) override {
    if (f == "get" || f == "read") return got == nullptr || (got->is_nil() ? value.empty() : *got == Value(value));
    const Value& argument = asked.is_nil() && got != nullptr ? *got : asked;
    value = f == "append" ? value + argument.string() : argument.string();
    return true;
  }
};

struct CounterMachine final : Specification {
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

struct SetMachine final : Specification {
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

struct LogMachine final : Specification {
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
struct QueueMachine final : Specification {
  std::deque<Value> items;
  std::string_view model;
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

struct LockMachine final : Specification {
  std::multiset<std::int64_t> holders;
  std::string_view model;
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

struct UniqueMachine final : Specification {
  std::set<Value> given;
  bool take(const std::string&, const Value&, const Value* got, std::int64_t) override {
    return got == nullptr || given.insert(*got).second;
  }
};

bool is_known(const CheckOptions& options) { return options.initial && !options.initial->is_nil(); }

}  // namespace

std::unique_ptr<Specification> specify_register(const CheckOptions& options, const History& history) {
  // Several registers in one operation are no register.
  if (options.model == "multi-register" && history.find_function("txn")) return nullptr;
  auto out = std::make_unique<RegisterMachine>();
  if (!options.initial_unknown) out->value = options.initial.value_or(Value());
  return out;
}

std::unique_ptr<Specification> specify_versioned_register(const CheckOptions& options, const History&) {
  auto out = std::make_unique<VersionedMachine>();
  if (is_known(options)) out->version = options.initial->items()[0].integer(), out->value = options.initial->items()[1];
  out->nil_unknown = options.nil_reads == NilReads::unknown;
  return out;
}

std::unique_ptr<Specification> specify_kv(const CheckOptions& options, const History&) {
  auto out = std::make_unique<KvMachine>();
  if (is_known(options)) out->value = options.initial->string();
  return out;
}

std::unique_ptr<Specification> specify_counter(const CheckOptions& options, const History&) {
  auto out = std::make_unique<CounterMachine>();
  if (!options.initial_unknown) out->n = is_known(options) ? options.initial->integer() : 0;
  return out;
}

std::unique_ptr<Specification> specify_set(const CheckOptions& options, const History&) {
  auto out = std::make_unique<SetMachine>();
  if (is_known(options)) out->elements.insert(options.initial->items().begin(), options.initial->items().end());
  return out;
}

std::unique_ptr<Specification> specify_log(const CheckOptions& options, const History&) {
  auto out = std::make_unique<LogMachine>();
  if (is_known(options)) out->items = options.initial->items();
  return out;
}

std::unique_ptr<Specification> specify_queue(const CheckOptions& options, const History&) {
  auto out = std::make_unique<QueueMachine>();
  out->model = options.model;
  if (is_known(options)) out->items.assign(options.initial->items().begin(), options.initial->items().end());
  if (options.model == "priority-queue") std::sort(out->items.begin(), out->items.end());
  return out;
}

std::unique_ptr<Specification> specify_lock(const CheckOptions& options, const History&) {
  static constexpr std::string_view kSemaphore = "semaphore-";
  auto out = std::make_unique<LockMachine>();
  out->model = options.model;
  if (options.model.starts_with(kSemaphore))
    out->permits = static_cast<std::size_t>(std::stoul(options.model.substr(kSemaphore.size())));
  return out;
}

std::unique_ptr<Specification> specify_unique_ids(const CheckOptions&, const History&) {
  return std::make_unique<UniqueMachine>();
}

}  // namespace ordeal::lin
