#pragma once
// Model: the sequential meaning of a data type, as the linearizability searches see it.
//
// A model turns operations of a history into small fixed-size Operations, and says from which state an Operation
// leads to which. States are vectors of 32-bit words whose layout is the model's own; equal states must have equal
// words, because the searches intern them and remember every transition (search/space.h).
//
//   auto model = make_model("cas-register", history, options);      // error: unknown name, bad --initial
//   auto op = (*model)->parse({invocation, completion});             // error: an operation the model does not know
//   (*model)->step((*model)->initial(), **op, successors);
//
// A model of one's own is a class like those in register_models.cc and a row in models.cc, or a transition table in a
// file (table_model.cc). Thread-safety: const methods from many threads. A model borrows its History.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "checkers/history/history.h"
#include "checkers/history/looks.h"
#include "checkers/interfaces/checker.h"

namespace ordeal::lin {

// What happened, as far as the model cares. Operations that compare equal are interchangeable: the searches count
// them instead of telling them apart.
struct Operation {
  std::uint8_t code = 0;     // the model's own number of f
  bool crashed = false;      // info: it may not have happened, and what it returned is not known
  std::int32_t process = 0;  // only in models that know owners, 0 otherwise
  std::int64_t a = 0;        // argument, result: the model's own (mostly value ids)
  std::int64_t b = 0;
  friend bool operator==(const Operation&, const Operation&) = default;
};

using State = std::vector<std::uint32_t>;

// What the searches may rely on. Claiming a trait that does not hold makes verdicts wrong; claiming none costs time.
enum Trait : unsigned {
  kPure = 1,       // never changes a state (once the state is known; see step)
  kTotal = 2,      // legal in every state
  kOverwrites = 4  // legal in every state, and the state afterwards does not depend on the state before
};

class Model {
 public:
  virtual ~Model() = default;
  [[nodiscard]] virtual std::string_view name() const = 0;
  // True when operations on different keys (Event::key) are independent, so that each key is checked alone.
  [[nodiscard]] virtual bool per_key() const { return true; }
  // An operation that did not fail. No value: it constrains nothing (an ok read whose result is "not known").
  // Error: the model does not know this f, or the value is malformed; it names the event.
  [[nodiscard]] virtual Result<std::optional<Operation>> parse(OperationEvents op) const = 0;
  [[nodiscard]] virtual State initial() const = 0;
  // Appends every state that `op` may lead to from `state`: none when it is not legal there. Crashed operations have
  // no known result, so they fit whenever some result would.
  virtual void step(const State& state, const Operation& op, std::vector<State>& successors) const = 0;
  // One for all states from which the operations of the history lead to the same answers: what nobody can tell apart
  // need not be told apart by a search. The result takes part in step() as any other state.
  [[nodiscard]] virtual State canonical(State state) const { return state; }
  [[nodiscard]] virtual unsigned traits(const Operation&) const { return 0; }
  // True when `strong` may stand wherever `weak` may, with the same effect (a write of b for a cas from a to b).
  [[nodiscard]] virtual bool covers(const Operation& strong, const Operation& weak) const {
    (void)strong, (void)weak;
    return false;
  }
  // For people: "2", "[1, 2]", "held by process 3".
  [[nodiscard]] virtual std::string describe(const State& state) const = 0;
  // For people: "write 3", "cas from 1 to 2", "read 4".
  [[nodiscard]] virtual std::string describe(const Operation& op) const = 0;
};

// The value of a register's state when the initial one is not known.
inline constexpr std::uint32_t kAnyState = 0xFFFFFFFFu;

class Specification;

// How operations hang together: what a counterexample must not leave out (proof/links.h). Models of one family encode
// their operations alike (operations.h).
enum class Family { registers, containers, elements, counters, locks, ids, other };

// What a model is, for the special cases and the words that are made for one data type; `other`: none are.
enum class DataType {
  other,
  counter,
  set,
  log,
  fifo_queue,
  unordered_queue,
  stack,
  priority_queue,
  mutex,  // released by whomever
  owned_mutex,
  reentrant_mutex,
  fenced_mutex,
  semaphore,
  unique_ids
};

// Which levels below sequential consistency have a meaning for a model; with cas, those without one for cas are out.
enum class WeakLevels { none, all, with_cas };

// Whether reads of nil can be taken for "not known" where CheckOptions::nil_reads asks for it, or nil always means
// something.
enum class NilResults { observed, as_asked };

// The catalogue: a row a model, which holds all that is known of it by its name. `semaphore-N` stands for any N,
// `table:FILE` for a table in a file.
struct ModelInfo {
  std::string name;
  std::string help;  // one line
  Result<std::unique_ptr<Model>> (*make)(std::string_view, const History&, const CheckOptions&) = nullptr;
  Family family = Family::other;
  DataType type = DataType::other;
  WeakLevels weak = WeakLevels::none;
  NilResults nil = NilResults::observed;
  // Its second specification, for certificates; nullptr when it has none.
  std::unique_ptr<Specification> (*specify)(const CheckOptions&, const History&) = nullptr;
  // Whether a history with these operations leaves no doubt that it is one of this model; nullptr: never.
  bool (*shown_by)(const Looks&) = nullptr;
};
[[nodiscard]] const std::vector<ModelInfo>& models();
[[nodiscard]] std::vector<std::string> model_names();
// The row of a name that make_model would know, else nullptr.
[[nodiscard]] const ModelInfo* find_model(std::string_view name);
[[nodiscard]] inline bool is_model(std::string_view name) { return find_model(name) != nullptr; }

// The family of a model; `other` for one that is not in the catalogue.
[[nodiscard]] Family family_of(const Model& model);
// The data type of a model; `other` for one that is not in the catalogue.
[[nodiscard]] DataType type_of(const Model& model);
// How many may hold a lock of holders at once: N of a semaphore-N, 1 of a mutex of owners, 0 of all else.
[[nodiscard]] std::size_t permits_of(const Model& model);
// True when the model is one register (operations.h, namespace reg), which several special cases are made for.
[[nodiscard]] inline bool is_one_register(const Model& model) {
  return model.per_key() && family_of(model) == Family::registers;
}
// Uses model, initial, initial_unknown and nil_reads of the options. Error: usage.
[[nodiscard]] Result<std::unique_ptr<Model>> make_model(const History& history, const CheckOptions& options);

}  // namespace ordeal::lin
