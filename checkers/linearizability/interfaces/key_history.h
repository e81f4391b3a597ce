#pragma once
// KeyHistory: the operations of one key, in the form that every algorithm of this room works on.
//
// Times are places in the history (EventIndex): file order is the order of time, so no two are equal, and operation A
// precedes B in real time exactly when A.ret < B.inv. Failed operations are gone. Crashed ones have ret == kNever.

#include <cstdint>
#include <string>
#include <vector>

#include "checkers/history/history.h"
#include "checkers/linearizability/models/model.h"

namespace ordeal::lin {

inline constexpr EventIndex kNever = 0xFFFFFFFFu;
using CallIndex = std::uint32_t;

struct Call {
  Operation op;
  EventIndex inv = 0;       // also names the operation: it is the invocation's place in the history
  EventIndex ret = kNever;  // when it must have happened at the latest; kNever: it may not have happened at all
  [[nodiscard]] bool crashed() const { return ret == kNever; }
};

struct KeyHistory {
  const History* history = nullptr;
  const Model* model = nullptr;
  ValueId key = kNil;       // kNil when there are no keys
  std::vector<Call> calls;  // by inv
  // What was invoked before this may have happened before the model's initial state was reached, whatever it saw and
  // did. Only the general searches know such histories (search/space.h); they are made for proofs (proof/window.h).
  EventIndex from = 0;
};

// The events of a key in order of time: invocations of all calls, returns of those that are not crashed.
struct KeyEvent {
  CallIndex call;
  bool is_return;
};
[[nodiscard]] std::vector<KeyEvent> events_of(const std::vector<Call>& calls);

// An operation that the model does not understand: the key's verdict cannot be valid.
struct NotUnderstood {
  EventIndex invocation = 0;
  std::string message;
};

struct Partition {
  std::vector<KeyHistory> keys;  // in the order of their first operation
  std::size_t operations = 0;    // of clients, failed ones included
  std::size_t ok = 0;
  bool observed = false;  // some ok operation would not have been possible in every state
  // Operations that were not understood, by key (index into keys); those are not among the calls.
  std::vector<std::pair<std::size_t, NotUnderstood>> not_understood;
};
// Which crashed operations are among the calls: those that may have had an effect, or all (a cas of a value to itself
// has none on a state, but where reads are asked whose write they saw it is one that may be seen).
enum class Crashed { with_effect, all };
[[nodiscard]] Partition partition(const History& history, const Model& model, Crashed crashed = Crashed::with_effect);
// Why nothing can be said about a promise from what was seen: nothing succeeded, or nothing that succeeded shows
// anything of the state, so that no violation could have been seen. Empty: something was observed.
[[nodiscard]] std::string nothing_observed(const Partition& parts);

}  // namespace ordeal::lin
