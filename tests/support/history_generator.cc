#include "support/history_generator.h"

#include <algorithm>
#include <vector>

#include "support/oracle.h"

namespace ordeal::testing_support {
namespace {

struct Asked {
  std::string f;
  Value argument;
};

class Clients {
 public:
  Clients(const RandomHistory& shape, std::mt19937_64& chance) : shape_(shape), chance_(chance) {}

  History run() {
    struct Open {
      bool busy = false, done = false, lost = false;
      Asked asked;
      Value result, key;
      ProcessId process = 0;
    };
    std::vector<Open> clients(static_cast<std::size_t>(shape_.clients));
    for (std::size_t i = 0; i < clients.size(); ++i) clients[i].process = static_cast<ProcessId>(i);
    ProcessId next_process = shape_.clients;
    std::size_t begun = 0;
    for (std::size_t idle = 0; idle < 200 && (begun < shape_.operations || any_busy(clients));) {
      Open& c = clients[pick(clients.size())];
      if (!c.busy) {
        if (begun == shape_.operations) {
          ++idle;
          continue;
        }
        ++begun;
        c.asked = ask();
        c.key = shape_.keys > 1 ? Value(static_cast<int>(pick(static_cast<std::size_t>(shape_.keys)))) : Value();
        c.busy = true;
        c.done = c.lost = false;
        add(c.process, EventType::invoke, c.asked.f, c.key, c.asked.argument);
        continue;
      }
      if (!c.done && !c.lost) {
        if (chance(shape_.crashed / 2)) {
          c.lost = true;
        } else if (auto found = outcomes(shape_.model, state(c.key), c.asked.f, c.asked.argument, c.process, nullptr);
                   !found.empty()) {
          Outcome& outcome = found[pick(found.size())];
          states_.set(c.key, outcome.state);
          c.result = shape_.model == "unique-ids" ? Value(static_cast<int>(++unique_)) : outcome.result;
          c.done = true;
        } else if (shape_.model == "mutex" || c.asked.f == "acquire") {
          c.lost = chance(0.1);
          ++idle;
        } else {
          finish(c.process, EventType::fail, c.asked, c.key, Value());
          c.busy = false;
        }
        continue;
      }
      if (c.lost || chance(shape_.crashed / 2)) {
        if (chance(0.7)) finish(c.process, EventType::info, c.asked, c.key, Value());
        c.process = next_process++;
      } else {
        finish(c.process, EventType::ok, c.asked, c.key, c.result);
      }
      c.busy = false;
    }
    while (chance(shape_.falsify)) chance(0.6) ? falsify() : forget();
    return build();
  }

 private:
  struct Line {
    ProcessId process;
    EventType type;
    std::string f;
    Value key, value;
  };

  template <class List>
  static bool any_busy(const List& clients) {
    return std::any_of(clients.begin(), clients.end(), [](const auto& c) { return c.busy; });
  }
  std::size_t pick(std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(chance_); }
  bool chance(double p) { return std::uniform_real_distribution<double>(0, 1)(chance_) < p; }
  Value value() {
    return shape_.unique_values ? Value(static_cast<int>(++unique_))
                                : Value(static_cast<int>(1 + pick(static_cast<std::size_t>(shape_.values))));
  }
  Value any_value() {
    return Value(
        static_cast<int>(1 + pick(static_cast<std::size_t>(shape_.unique_values ? unique_ + 1 : shape_.values))));
  }
  Value state(const Value& key) {
    const Value* found = states_.find(key);
    return found != nullptr ? *found : initial_state(shape_.model, {});
  }

  Asked ask() {
    const std::string& m = shape_.model;
    const std::size_t which = pick(6);
    if (m == "register" || m == "cas-register" || m == "multi-register" || m == "versioned-register") {
      const bool versioned = m == "versioned-register";
      if (which < 2) return {"read", versioned ? Value(Value::List{Value(), Value()}) : Value()};
      if (m != "register" && which < 4) {
        // Mostly from the value that is there, so that some succeed.
        Value from = states_.entries().empty() || chance(0.3) ? any_value() : states_.entries()[0].second;
        if (from.is_list()) from = Value(from.items()[1]);
        Value pair = Value::List{from, value()};
        return {"cas", versioned ? Value(Value::List{Value(), pair}) : pair};
      }
      return {"write", versioned ? Value(Value::List{Value(), value()}) : value()};
    }
    if (m == "stack") return which < 3 ? Asked{"push", value()} : Asked{"pop", Value()};
    if (m.ends_with("queue")) return which < 3 ? Asked{"enqueue", value()} : Asked{"dequeue", Value()};
    if (m == "set") {
      if (which < 2) return {"add", value()};
      if (which < 3) return {"remove", any_value()};
      if (which < 4) return {"contains", Value(Value::List{any_value(), Value()})};
      return {"read", Value()};
    }
    if (m == "log") return which < 3 ? Asked{"append", value()} : Asked{"read", Value()};
    if (m == "counter") {
      if (which < 2) return {"read", Value()};
      if (which < 5) return {"add", Value(static_cast<int>(pick(3)))};
      return {"fetch-add", Value(Value::List{Value(1), Value()})};
    }
    if (m == "fetch-add") return {"fetch-add", Value(Value::List{Value(1), Value()})};
    if (m == "kv") {
      static const char* const kTexts[] = {"a", "b", "ab", ""};
      if (which < 2) return {"get", Value()};
      return {which < 4 ? "put" : "append", Value(kTexts[pick(4)])};
    }
    if (m == "unique-ids") return {"generate", Value()};
    return {which < 3 ? "acquire" : "release", Value()};
  }

  void add(ProcessId process, EventType type, const std::string& f, const Value& key, const Value& v) {
    lines_.push_back({process, type, f, key, v});
  }
  void finish(ProcessId process, EventType type, const Asked& asked, const Value& key, const Value& result) {
    add(process, type, asked.f, key, type == EventType::ok && !result.is_nil() ? result : asked.argument);
    if (type == EventType::ok && (asked.f == "dequeue" || asked.f == "pop" || asked.f == "read" || asked.f == "get")) {
      lines_.back().value = result;
    }
  }

  void falsify() {
    std::vector<std::size_t> observed;
    for (std::size_t i = 0; i < lines_.size(); ++i) {
      const std::string& f = lines_[i].f;
      const bool observes = f == "read" || f == "get" || f == "dequeue" || f == "pop" || f == "contains" ||
                            f == "fetch-add" || f == "generate" || (f == "acquire" && shape_.model == "fenced-mutex");
      if (lines_[i].type == EventType::ok && observes) observed.push_back(i);
    }
    if (observed.empty()) return;
    Line& line = lines_[observed[pick(observed.size())]];
    const Line& other = lines_[observed[pick(observed.size())]];
    if (other.f == line.f && chance(0.6)) {
      // The element that was asked for stays.
      if (line.f == "contains")
        line.value.items()[1] = other.value.items()[1];
      else
        line.value = other.value;
    } else if (line.f == "dequeue" || line.f == "pop" || line.f == "read") {
      if (line.value.is_list() && !line.value.items().empty() && shape_.model != "versioned-register") {
        line.value.items().pop_back();
      } else if (line.value.is_integer()) {
        line.value = shape_.model == "counter" ? Value(line.value.integer() + 1) : any_value();
      } else if (line.f != "read") {
        line.value = any_value();
      }
    } else if (line.f == "get") {
      line.value = Value("b");
    } else if (line.f == "contains") {
      line.value.items()[1] = Value(!line.value.items()[1].boolean());
    } else if (line.f == "fetch-add") {
      line.value.items()[1] = Value(line.value.items()[1].integer() + 1);
    }
  }

  // Takes one operation out of the history, as if the clients had kept silent about it.
  void forget() {
    if (lines_.empty()) return;
    const std::size_t first = pick(lines_.size());
    if (lines_[first].type != EventType::invoke) return;
    for (std::size_t i = first + 1; i < lines_.size(); ++i) {
      if (lines_[i].process != lines_[first].process) continue;
      if (lines_[i].type != EventType::invoke) lines_.erase(lines_.begin() + static_cast<std::ptrdiff_t>(i));
      break;
    }
    lines_.erase(lines_.begin() + static_cast<std::ptrdiff_t>(first));
  }

  History build() {
    HistoryBuilder builder;
    for (const Line& line : lines_) {
      Event event;
      event.process = line.process;
      event.type = line.type;
      event.f = *builder.function(line.f);
      event.key = line.key.is_nil() ? kAbsent : builder.values().intern(line.key);
      event.value = builder.values().intern(line.value);
      const auto added = builder.add(event);
      ORDEAL_CHECK(added.has_value(), "the generator made a history that contradicts itself");
    }
    return builder.finish();
  }

  const RandomHistory& shape_;
  std::mt19937_64& chance_;
  std::vector<Line> lines_;
  Value states_ = Value::map();
  std::size_t unique_ = 0;
};

}  // namespace

History random_history(const RandomHistory& shape, std::mt19937_64& chance) { return Clients(shape, chance).run(); }

}  // namespace ordeal::testing_support
