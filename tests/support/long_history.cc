// How the violations are made certain. Let v be the value that is wrongly read by R. If every operation that writes v,
// crashed ones included, has returned before another operation X began, whose result says that the value was not v,
// and X returned before R began, or the writer of v begins only after R has returned, then whatever wrote v before R
// was overwritten by X's time: R has no explanation. For stale_read, lost_write and future_read the clients therefore
// avoid writing v for a while, and those that write v do not crash before the violation.
//
// A stale replica is refuted by counting instead: between two reads of v there is one of another value and no operation
// of anybody else, so each further read of v uses up one crashed operation that writes v, and there are more reads.

#include "support/long_history.h"

#include <algorithm>
#include <array>
#include <random>
#include <utility>
#include <vector>

namespace ordeal::testing_support {
namespace {

constexpr std::array<std::pair<std::string_view, Violation>, 5> kNames = {{
    {"none", Violation::none},
    {"stale-read", Violation::stale_read},
    {"lost-write", Violation::lost_write},
    {"future-read", Violation::future_read},
    {"stale-replica", Violation::stale_replica},
}};

constexpr std::int64_t kUnwritten = -1;  // nil: nobody has written yet

// One register's client; it is between invocation, effect and completion.
struct Client {
  enum class At { idle, invoked, effected } at = At::idle;
  FunctionId f = 0;
  std::size_t key = 0;
  std::int64_t a = 0, b = 0, result = kUnwritten;
  bool failed = false;
  ProcessId process = 0;
  std::size_t invoked_at = 0;
};

class Registers {
 public:
  explicit Registers(const LongHistory& shape)
      : shape_(shape),
        chance_(shape.seed),
        read_(*builder_.function("read")),
        write_(*builder_.function("write")),
        cas_(*builder_.function("cas")),
        clients_(static_cast<std::size_t>(shape.clients) * shape.keys),
        next_process_(static_cast<ProcessId>(clients_.size())),
        state_(shape.keys, kUnwritten),
        crashed_writers_(static_cast<std::size_t>(std::max(1, shape.values))) {
    ORDEAL_CHECK(shape.violation == Violation::none || shape.values == 0 || shape.values >= 2,
                 "a violation needs two values or unique ones");
    for (std::size_t i = 0; i < clients_.size(); ++i) {
      clients_[i].process = static_cast<ProcessId>(i);
      clients_[i].key = i % shape.keys;
    }
    if (shape.violation == Violation::none) stage_ = Stage::over;
    // The value of few that will be read wrongly; of unique ones it is chosen when the time has come.
    if (shape.values > 0) wrong_ = 0;
  }

  History run() {
    while (begun_ < shape_.operations || busy_ > 0) {
      Client& c = clients_[pick(clients_.size())];
      if (shape_.violation == Violation::stale_replica && due() && c.key == 0) {
        if (busy_on_first_key_ == 0) read_from_stale_replica();
        if (c.at == Client::At::idle) continue;  // everybody finishes first
      }
      switch (c.at) {
        case Client::At::idle:
          if (begun_ < shape_.operations) invoke(c);
          break;
        case Client::At::invoked:
          take_effect(c);
          break;
        case Client::At::effected:
          complete(c);
          break;
      }
    }
    ORDEAL_CHECK(stage_ == Stage::over, "the history is too short for the violation");
    return builder_.finish();
  }

 private:
  // The way to one wrong read: it must be due, then whoever might explain it must be gone, then an operation X that
  // began after that must return, then a read that began after that is falsified, and its return ends the matter.
  enum class Stage { waiting, clearing, settling, reading, falsified, over };

  std::size_t pick(std::size_t n) { return static_cast<std::size_t>(chance_() % n); }
  bool chance(double p) { return p > 0 && static_cast<double>(chance_() >> 11) * 0x1p-53 < p; }
  bool due() const {
    return stage_ != Stage::over &&
           static_cast<double>(begun_) >= shape_.where * static_cast<double>(shape_.operations);
  }

  std::int64_t written(const Client& c) const { return c.f == write_ ? c.a : c.f == cas_ ? c.b : kUnwritten; }
  bool writes_wrong(const Client& c) const { return c.key == 0 && c.f != read_ && written(c) == wrong_; }

  // Whether nobody may ask for the wrong value to be written at present.
  bool avoided() const {
    if (shape_.violation == Violation::stale_replica || stage_ == Stage::over) return false;
    return shape_.violation == Violation::future_read || stage_ != Stage::waiting;
  }
  std::int64_t fresh(std::size_t key) {
    if (shape_.values == 0) {
      if (key != 0 || stage_ != Stage::over || !promised_) return ++unique_;
      promised_ = false;
      return wrong_;
    }
    if (key == 0 && avoided()) return 1 + static_cast<std::int64_t>(pick(static_cast<std::size_t>(shape_.values) - 1));
    return any_value();
  }
  std::int64_t any_value() { return static_cast<std::int64_t>(pick(static_cast<std::size_t>(shape_.values))); }

  void invoke(Client& c) {
    ++begun_;
    if (c.key == 0 && stage_ == Stage::waiting && due()) begin_clearing();
    c.failed = false;
    c.result = kUnwritten;
    c.invoked_at = builder_.size();
    switch (pick(shape_.cas ? 3 : 2)) {
      case 0:
        c.f = read_;
        break;
      case 1:
        c.f = write_;
        c.a = fresh(c.key);
        break;
      default:
        c.f = cas_;
        c.a = shape_.values == 0 ? state_[c.key] : any_value();
        c.b = fresh(c.key);
    }
    emit(c, EventType::invoke);
    enter(c);
  }
  void enter(Client& c) {
    c.at = Client::At::invoked;
    ++busy_;
    if (c.key == 0) ++busy_on_first_key_;
    if (writes_wrong(c)) ++open_writers_;
  }
  void leave(Client& c) {
    c.at = Client::At::idle;
    --busy_;
    if (c.key == 0) --busy_on_first_key_;
    if (writes_wrong(c)) --open_writers_;
    if (stage_ == Stage::clearing && open_writers_ == 0) {
      stage_ = Stage::settling;
      clear_since_ = builder_.size();
    }
  }

  void begin_clearing() {
    if (shape_.violation == Violation::stale_replica) return;
    if (shape_.values == 0) {
      if (overwritten_.empty()) return;
      wrong_ = overwritten_[overwritten_.size() / 2];
    }
    stage_ = Stage::clearing;
    open_writers_ = static_cast<std::size_t>(std::count_if(clients_.begin(), clients_.end(), [&](const Client& c) {
      return c.at != Client::At::idle && writes_wrong(c);
    }));
  }

  void take_effect(Client& c) {
    // Whoever writes the wrong value does not crash before it was read, or there would be an explanation.
    const bool may_crash = stage_ == Stage::over || shape_.violation == Violation::stale_replica || !writes_wrong(c);
    if (may_crash && chance(shape_.crashed)) {
      if (chance(0.5)) apply(c, true);
      emit(c, EventType::info);
      if (c.key == 0 && c.f != read_ && shape_.values > 0) ++crashed_writers_[static_cast<std::size_t>(written(c))];
      c.process = next_process_++;
      leave(c);
      return;
    }
    apply(c, false);
    if (c.f == read_ && c.key == 0 && stage_ == Stage::reading && c.invoked_at >= settled_at_) falsify(c);
    c.at = Client::At::effected;
  }
  void apply(Client& c, bool crashes) {
    std::int64_t& s = state_[c.key];
    if (c.f == read_) {
      c.result = s;
      return;
    }
    c.failed = c.f == cas_ && s != c.a;
    if (c.failed) return;
    if (c.key == 0) {
      if (s >= 0 && s != written(c) && !from_crashed_) overwritten_.push_back(s);
      from_crashed_ = crashes;
    }
    s = written(c);
  }

  void falsify(Client& c) {
    if (shape_.violation == Violation::future_read && shape_.values == 0) {
      wrong_ = ++unique_;
      promised_ = true;
    }
    c.result = wrong_;
    if (shape_.violation == Violation::lost_write) state_[0] = wrong_;
    falsified_process_ = c.process;
    stage_ = Stage::falsified;
  }

  void complete(Client& c) {
    emit(c, c.failed ? EventType::fail : EventType::ok);
    const bool says_otherwise = !c.failed && c.key == 0 && (c.f == read_ ? c.result : written(c)) != wrong_;
    if (stage_ == Stage::settling && says_otherwise && c.invoked_at >= clear_since_) {
      stage_ = Stage::reading;
      settled_at_ = builder_.size();
    }
    if (stage_ == Stage::falsified && c.process == falsified_process_) stage_ = Stage::over;
    leave(c);
  }

  // Requires: nobody is at work on the first key.
  void read_from_stale_replica() {
    std::size_t explained = 0;
    if (shape_.values > 0) {
      wrong_ = state_[0] == 0 ? 1 : 0;
      for (std::int64_t v = 0; v < shape_.values; ++v) {
        if (v != state_[0] &&
            crashed_writers_[static_cast<std::size_t>(v)] < crashed_writers_[static_cast<std::size_t>(wrong_)])
          wrong_ = v;
      }
      explained = crashed_writers_[static_cast<std::size_t>(wrong_)];
    } else {
      ORDEAL_CHECK(!overwritten_.empty(), "the history is too short for a stale replica");
      wrong_ = overwritten_[overwritten_.size() / 2];
    }
    for (std::size_t i = 0; i < 2 * (explained + 2); ++i) {
      Client& c = clients_[(i % static_cast<std::size_t>(shape_.clients)) * shape_.keys];
      ++begun_;
      c.f = read_;
      c.failed = false;
      emit(c, EventType::invoke);
      c.result = i % 2 == 0 ? state_[0] : wrong_;
      emit(c, EventType::ok);
    }
    stage_ = Stage::over;
  }

  void emit(const Client& c, EventType type) {
    Event event;
    event.process = c.process;
    event.type = type;
    event.f = c.f;
    event.key = shape_.keys > 1 ? builder_.values().integer(static_cast<std::int64_t>(c.key)) : kAbsent;
    event.value = c.f == read_    ? (type == EventType::ok ? id(c.result) : kNil)
                  : c.f == write_ ? id(c.a)
                                  : pair(c.a, c.b);
    ORDEAL_CHECK(builder_.add(event).has_value(), "the generator made a history that contradicts itself");
  }
  ValueId id(std::int64_t v) { return v < 0 ? kNil : builder_.values().integer(v); }
  ValueId pair(std::int64_t a, std::int64_t b) {
    const ValueId parts[] = {id(a), id(b)};
    return builder_.values().list(parts);
  }

  const LongHistory& shape_;
  std::mt19937_64 chance_;
  HistoryBuilder builder_;
  FunctionId read_, write_, cas_;
  std::vector<Client> clients_;
  ProcessId next_process_;
  std::vector<std::int64_t> state_;  // by key
  std::int64_t unique_ = 0;
  std::size_t begun_ = 0, busy_ = 0, busy_on_first_key_ = 0;

  // The violation, all about the first key.
  Stage stage_ = Stage::waiting;
  std::int64_t wrong_ = -2;
  bool promised_ = false;         // the wrong value, a unique one, will be written next
  std::size_t open_writers_ = 0;  // of the wrong value
  std::size_t clear_since_ = 0, settled_at_ = 0;
  ProcessId falsified_process_ = -1;
  bool from_crashed_ = false;                 // what the register holds was written by an operation that crashed
  std::vector<std::int64_t> overwritten_;     // values of operations that did not
  std::vector<std::size_t> crashed_writers_;  // by value
};

}  // namespace

std::string_view name(Violation violation) {
  for (const auto& [text, value] : kNames) {
    if (value == violation) return text;
  }
  return "none";
}

std::optional<Violation> find_violation(std::string_view wanted) {
  for (const auto& [text, value] : kNames) {
    if (text == wanted) return value;
  }
  return std::nullopt;
}

History long_history(const LongHistory& shape) { return Registers(shape).run(); }

}  // namespace ordeal::testing_support
