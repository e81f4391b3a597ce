#pragma once
// The oracle: linearizability by trying everything, with sequential specifications of its own. It shares no code with
// the checkers, is deliberately slow, and is right by inspection. For histories of up to about 14 operations.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "checkers/interfaces/checker.h"

namespace ordeal::testing_support {

// One way in which an operation may turn out: the state afterwards and what it returns.
struct Outcome {
  Value state;
  Value result;
};

// What `model` says of an operation in a state. `seen`: the result that a client saw, nil when nobody saw one (only
// the tokens of a fenced mutex are made from it). No outcome: it cannot happen there.
std::vector<Outcome> outcomes(const std::string& model, const Value& state, const std::string& f, const Value& argument,
                              std::int64_t process, const Value* seen);
Value initial_state(const std::string& model, const CheckOptions& options);

// True when some order of the operations (ok ones all, crashed ones as liked) respects real time and the model.
// Keys are parts of one state. Uses model, initial and nil_reads of the options.
bool oracle_linearizable(const History& history, const CheckOptions& options);
// The same with the order of each process in place of real time. What a process does after a crashed operation is not
// ordered after it.
bool oracle_sequential(const History& history, const CheckOptions& options);
// As oracle_linearizable, but what had ended up to `bound_ns` before a `read`, `get` or `contains` began needs not come
// before it. Requires: times that do not step back.
bool oracle_bounded_staleness(const History& history, const CheckOptions& options, std::int64_t bound_ns);

}  // namespace ordeal::testing_support
