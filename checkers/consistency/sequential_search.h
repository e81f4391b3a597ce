#pragma once
// SequentialSearch: is there one order of all operations that keeps the order of each process and that the model
// explains? Depth first over how far each process has come, with a memory of the configurations seen.
//
// Thread-safety: one thread.

#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <stop_token>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "checkers/consistency/value_watch.h"
#include "checkers/interfaces/checker.h"
#include "checkers/linearizability/interfaces/key_history.h"

namespace ordeal {

// An operation in its place.
struct SequentialStep {
  lin::Operation op;
  EventIndex invocation = 0;
  std::uint32_t key = 0;    // index into Partition::keys
  lin::CallIndex call = 0;  // index into its calls
  bool crashed = false;
  bool pure = false;
};
// The operations of each process in their order. What a process does after a crash is not ordered after it: it is a
// session of its own.
using SequentialSessions = std::vector<std::vector<SequentialStep>>;
[[nodiscard]] SequentialSessions sequential_sessions(const History& history, const lin::Model& model,
                                                     const lin::Partition& parts);

struct SequentialLimits {
  std::optional<std::chrono::steady_clock::time_point> deadline;
  std::size_t memory_bytes = std::size_t{4} << 30;
  std::size_t configurations = std::numeric_limits<std::size_t>::max();  // that are looked at
  std::stop_token stop;
};

class SequentialSearch {
 public:
  // Borrows the sessions.
  SequentialSearch(const lin::Model& model, const SequentialSessions& sessions, std::size_t keys,
                   SequentialLimits limits);

  // valid or invalid, or unknown with reason().
  Verdict run();

  [[nodiscard]] const std::string& reason() const { return reason_; }
  // Of a valid history: an order that explains it.
  [[nodiscard]] const std::vector<EventIndex>& order() const { return order_; }

  // Where the order that came furthest ended: how many of the operations that certainly happened it holds, how far each
  // session was, and the state of each key.
  struct End {
    std::size_t done = 0;
    std::vector<std::size_t> at;
    std::vector<lin::State> states;
    std::vector<EventIndex> order;
  };
  // Requires: keep_furthest() was called before run().
  [[nodiscard]] const End& furthest() const { return *furthest_; }
  // The search then goes as far as the model allows, also where no order can come to an end.
  void keep_furthest() {
    furthest_ = End{0, at_, states_, {}};
    watches_ = false;
  }
  [[nodiscard]] std::size_t must() const { return must_; }

 private:
  bool out_of_time();
  [[nodiscard]] std::vector<std::pair<std::size_t, lin::State>> choices() const;
  lin::State perform(std::size_t session, const lin::State& after);
  void undo(std::size_t session, const lin::State& before);
  [[nodiscard]] std::string snapshot() const;

  const lin::Model& model_;
  const SequentialSessions& sessions_;
  SequentialLimits limits_;
  bool watches_ = false;
  ValueWatch watch_;                                       // of registers
  std::vector<std::vector<ValueWatch::Watched>> watched_;  // by session and place
  std::vector<std::size_t> at_;                            // by session: how many were performed
  std::vector<lin::State> states_;                         // by key
  std::size_t must_ = 0;                                   // operations that certainly happened
  std::size_t done_ = 0;                                   // of those, performed
  std::vector<EventIndex> order_;
  std::unordered_set<std::string> seen_;
  std::size_t used_ = 0;
  std::string reason_;
  std::optional<End> furthest_;
};

}  // namespace ordeal
