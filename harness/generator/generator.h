#pragma once
// Generator: says what is done next.
//
// The runner asks next() for a free worker and reports every event with update(). A generator is pure in the sense
// that it does no I/O, reads no clock and draws chance only from the seed it was made with: the same plan, seed and
// sequence of calls give the same operations. It lives behind the runner's one lock and must answer in microseconds.
//
// The protocol: a worker asks only while it has no open operation. An operation that next() returned is always
// carried out: update() with its invocation follows before any other call, and one completion for that worker comes
// later, whatever happens to its client. So "a worker asks" means "its last operation is over".
//
// combinators.h builds larger generators from smaller ones. Thread-safety: none; the runner holds the lock.

#include <cstdint>
#include <memory>
#include <optional>
#include <variant>

#include "checkers/history/operation.h"

namespace ordeal {

// The asking worker and the moment. Workers are 0 … workers-1.
struct GeneratorContext {
  std::int64_t now_ns = 0;  // since the run began
  int worker = 0;
  ProcessId process = 0;  // the process that the worker plays at present
  int workers = 0;        // how many workers share this generator
};

// Ask again at `until_ns`, or, with `on_update`, after the next event of another worker if that comes first. A
// generator that waits only for the clock says false and spares the runner waking every idle worker at every event.
struct Wait {
  std::int64_t until_ns = 0;
  bool on_update = true;
};
// Nothing will ever come again for this worker.
struct Done {};

using GeneratorStep = std::variant<Operation, Wait, Done>;

// An event of the history as generators see it.
struct GeneratorEvent {
  std::int64_t now_ns = 0;
  int worker = 0;
  ProcessId process = 0;
  EventType type = EventType::invoke;
  const Operation* operation = nullptr;    // never null during the call
  const Completion* completion = nullptr;  // null for an invocation
};

class Generator {
 public:
  virtual ~Generator() = default;
  [[nodiscard]] virtual GeneratorStep next(const GeneratorContext& context) = 0;
  virtual void update(const GeneratorEvent&) {}
};

using GeneratorPtr = std::unique_ptr<Generator>;

}  // namespace ordeal
