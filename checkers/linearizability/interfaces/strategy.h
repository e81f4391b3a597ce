#pragma once
// Strategy: one way to decide one key's history; the searches and the polynomial special cases alike.
//
// Each is a file of its own and one line in checkers/linearizability/search/strategies.cc. `auto` takes the first
// special case, in the order of that table, that applies; the general searches apply always. Every strategy is tested
// against the others and the oracle on every history it accepts, so `applies` must be exact about what it can decide.
// Thread-safety: stateless; used from many threads.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "checkers/linearizability/interfaces/key_history.h"

namespace ordeal::lin {

// What all threads of one check may use together. Strategies call out_of_time() every few hundred steps, and charge
// what they keep. What is charged is what they know of; what this process holds beyond what it held when the budget was
// made counts as well, which is more: allocators round up.
class Budget {
 public:
  Budget(std::chrono::steady_clock::time_point deadline, std::size_t memory_bytes, std::stop_token stop);
  // A part of `whole`'s budget that also ends at `deadline` or when `stop` is asked for. Memory is charged to the
  // whole.
  Budget(Budget& whole, std::chrono::steady_clock::time_point deadline, std::stop_token stop)
      : deadline_(std::min(deadline, whole.deadline_)),
        memory_(whole.memory_),
        stop_(std::move(stop)),
        whole_(&whole) {}
  // A part of `whole`'s budget that also ends when the calling thread has worked for `work` from now on. What is found
  // within it does not depend on what else the machine does.
  Budget(Budget& whole, std::chrono::nanoseconds work);

  // True when the time is over or somebody asked to stop; says which in reason().
  [[nodiscard]] bool out_of_time() const;
  // Charges (or gives back) bytes. False when the limit is passed; the bytes are charged all the same.
  [[nodiscard]] bool charge(std::ptrdiff_t bytes);
  void give_back(std::size_t bytes);
  [[nodiscard]] std::size_t peak_bytes() const { return whole_ ? whole_->peak_bytes() : peak_.load(); }
  [[nodiscard]] std::size_t limit_bytes() const { return memory_; }
  // "the time limit was reached", "stopped on request".
  [[nodiscard]] std::string reason() const;

 private:
  void look(std::ptrdiff_t used);
  [[nodiscard]] bool has_worked() const;

  std::chrono::steady_clock::time_point deadline_;
  std::size_t memory_;
  std::stop_token stop_;
  clockid_t worker_ = 0;                // the clock of the thread that works, and
  std::chrono::nanoseconds until_{-1};  // what it shows when it has worked enough; negative: there is no such bound
  Budget* whole_ = nullptr;
  std::atomic<std::ptrdiff_t> used_{0};
  std::atomic<std::size_t> peak_{0};
  std::size_t ceiling_ = SIZE_MAX;          // bytes that the process may hold
  std::atomic<std::ptrdiff_t> look_at_{0};  // from so many charged bytes on it is looked what the process holds
  std::atomic<bool> over_{false};           // it held too much at the last look
};

struct Decision {
  Verdict verdict = Verdict::unknown;
  std::string reason;  // why unknown, and how far it got
  // With invalid: calls that alone show the violation already, as far as the strategy knows (to start the
  // minimisation from); empty: all calls invoked before `failed_at`.
  std::vector<CallIndex> culprits;
  // With invalid: the history up to and with this event is already invalid. kNever: not known.
  EventIndex failed_at = kNever;
  // With valid and when asked for: the calls in an order that explains the history.
  std::vector<CallIndex> order;
  std::uint64_t steps = 0;                 // configurations or operations looked at
  bool too_narrow = false;                 // unknown only because a bounded search was not wide enough …
  bool narrow_only_by_relaxation = false;  // … and more width would not have helped
  std::uint64_t peak = 0;                  // most configurations held at once
};

class Strategy {
 public:
  virtual ~Strategy() = default;
  // As --algorithm takes it: "zones", "jit", "wgl", …
  [[nodiscard]] virtual std::string_view name() const = 0;
  // Whether it decides this history. Empty: yes; otherwise the reason why not, for people.
  [[nodiscard]] virtual std::string objection(const KeyHistory& history) const = 0;
  // REQUIRES: objection() is empty. `want_order` asks for Decision::order.
  [[nodiscard]] virtual Decision decide(const KeyHistory& history, Budget& budget, bool want_order) const = 0;
};

}  // namespace ordeal::lin
