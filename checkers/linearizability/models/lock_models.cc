// The locks. mutex is anonymous: whoever likes may release it. mutex-owner, reentrant-mutex, fenced-mutex and
// semaphore-N know who holds them, and only a holder may release. A fenced mutex hands out tokens that grow.
// States: mutex: held or not; owner, reentrant: holder + 1 and how often; fenced: holder + 1 and the last token;
// semaphore: the sorted list of holders, one entry a permit.

#include <algorithm>
#include <charconv>
#include <limits>

#include "checkers/linearizability/models/model_base.h"
#include "checkers/linearizability/models/operations.h"

namespace ordeal::lin {
namespace {

enum class LockKind { anonymous, owner, reentrant, fenced, semaphore };

class LockModel final : public ModelBase {
 public:
  LockModel(std::string_view name, const History& history, LockKind kind, std::size_t permits)
      : ModelBase(std::string(name), history,
                  {{"acquire", lock::kAcquire},
                   {"lock", lock::kAcquire},
                   {"release", lock::kRelease},
                   {"unlock", lock::kRelease}}),
        kind_(kind),
        permits_(permits) {}

  Result<std::optional<Operation>> parse(OperationEvents op) const override {
    Operation out;
    out.code = code_of(op);
    if (out.code == kNoCode) return does_not_know(op);
    out.crashed = !is_ok(op);
    if (kind_ != LockKind::anonymous) out.process = history_.process(op.invocation);
    if (kind_ == LockKind::fenced && out.code == lock::kAcquire) {
      out.a = kUnknown;
      if (!out.crashed) {
        const ValueId token = result(op);
        if (values().kind(token) != Value::Kind::integer)
          return malformed(op, "a fencing token as the result of acquire");
        out.a = values().as_integer(token);
      }
    }
    return out;
  }

  State initial() const override {
    switch (kind_) {
      case LockKind::anonymous:
        return {0};
      case LockKind::owner:
      case LockKind::reentrant:
        return {0, 0};
      case LockKind::fenced: {
        State out{0};
        push_number(out, std::numeric_limits<std::int64_t>::min());
        return out;
      }
      case LockKind::semaphore:
        return {};
    }
    return {};
  }

  void step(const State& state, const Operation& op, std::vector<State>& successors) const override {
    const bool acquire = op.code == lock::kAcquire;
    const auto me = static_cast<std::uint32_t>(op.process) + 1;
    switch (kind_) {
      case LockKind::anonymous:
        if (acquire != (state[0] != 0)) successors.push_back({acquire ? 1u : 0u});
        return;
      case LockKind::owner:
        if (acquire && state[0] == 0) successors.push_back({me, 1});
        if (!acquire && state[0] == me) successors.push_back({0, 0});
        return;
      case LockKind::reentrant:
        if (acquire && (state[0] == 0 || state[0] == me)) successors.push_back({me, state[1] + 1});
        if (!acquire && state[0] == me) successors.push_back(state[1] == 1 ? State{0, 0} : State{me, state[1] - 1});
        return;
      case LockKind::fenced:
        return step_fenced(state, op, me, successors);
      case LockKind::semaphore: {
        State next = state;
        const auto place = std::lower_bound(next.begin(), next.end(), me);
        if (acquire) {
          if (state.size() >= permits_) return;
          next.insert(place, me);
        } else {
          if (place == next.end() || *place != me) return;
          next.erase(place);
        }
        successors.push_back(std::move(next));
      }
    }
  }

  std::string describe(const State& state) const override {
    if (kind_ == LockKind::semaphore) {
      std::string out = std::to_string(state.size()) + " of " + std::to_string(permits_) + " permits taken";
      for (std::size_t i = 0; i < state.size(); ++i) {
        out += (i == 0 ? ", by process " : ", ") + std::to_string(state[i] - 1);
      }
      return out;
    }
    if (state[0] == 0) return "free";
    if (kind_ == LockKind::anonymous) return "held";
    std::string out = "held by process " + std::to_string(state[0] - 1);
    if (kind_ == LockKind::reentrant && state[1] > 1) out += " " + std::to_string(state[1]) + " times";
    if (kind_ == LockKind::fenced) out += " with token " + std::to_string(number_at(state, 1));
    return out;
  }

  std::string describe(const Operation& op) const override {
    std::string out = op.code == lock::kAcquire ? "acquire" : "release";
    if (kind_ != LockKind::anonymous) out += " by process " + std::to_string(op.process);
    if (kind_ == LockKind::fenced && op.code == lock::kAcquire && op.a != kUnknown) {
      out += " with token " + std::to_string(op.a);
    }
    return out;
  }

 private:
  // A crashed acquire got some token that nobody saw: the smallest that it can have been leaves most room.
  void step_fenced(const State& state, const Operation& op, std::uint32_t me, std::vector<State>& successors) const {
    const std::int64_t last = number_at(state, 1);
    if (op.code == lock::kRelease) {
      if (state[0] != me) return;
      State next{0};
      push_number(next, last);
      successors.push_back(std::move(next));
      return;
    }
    if (state[0] != 0 || last == std::numeric_limits<std::int64_t>::max()) return;
    if (!op.crashed && op.a <= last) return;
    State next{me};
    push_number(next, op.crashed ? last + 1 : op.a);
    successors.push_back(std::move(next));
  }

  LockKind kind_;
  std::size_t permits_;
};

}  // namespace

MadeModel make_lock(std::string_view name, const History& history, const CheckOptions& options) {
  if (options.initial_unknown || (options.initial && !options.initial->is_nil())) {
    return bad_initial(name, "nothing (it starts free)", options);
  }
  LockKind kind = LockKind::anonymous;
  std::size_t permits = 1;
  if (name == "mutex-owner") kind = LockKind::owner;
  if (name == "reentrant-mutex") kind = LockKind::reentrant;
  if (name == "fenced-mutex") kind = LockKind::fenced;
  if (name.starts_with("semaphore-")) {
    kind = LockKind::semaphore;
    const std::string_view digits = name.substr(10);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), permits);
    if (error != std::errc() || end != digits.data() + digits.size() || permits == 0) {
      return fail(ErrorCode::usage, "the model semaphore-N needs a positive number of permits, found \"" +
                                        std::string(digits) + "\"; write semaphore-2 for two");
    }
  }
  return std::make_unique<LockModel>(name, history, kind, permits);
}

}  // namespace ordeal::lin
