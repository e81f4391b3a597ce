#pragma once
// Specification: a data type said a second time, as a small machine that takes values one by one and refuses what the
// type does not allow. The verifier of certificates runs it over an order that a search has found; it shares nothing
// with the models that the searches use (no states, no interned values), so that one mistake cannot hide in both.
//
// Thread-safety: one thread at a time. A specification borrows its options.

#include <cstdint>
#include <memory>
#include <string>

#include "checkers/history/history.h"
#include "checkers/interfaces/checker.h"

namespace ordeal::lin {

class Specification {
 public:
  virtual ~Specification() = default;
  // Takes the next operation; false when it is not possible here. `asked`: the invocation's value; `got`: the
  // completion's when it is ok, nullptr when nobody knows.
  [[nodiscard]] virtual bool take(const std::string& f, const Value& asked, const Value* got, std::int64_t process) = 0;
  // False when a read that returned this shows nothing, where reads of nil stand for "not known".
  [[nodiscard]] virtual bool observed(const Value& got) const { return !got.is_nil(); }
};

// The makers, one a family; models.cc lists them. Null when the type has no second specification for such a history.
// Requires: options that make_model() takes.
[[nodiscard]] std::unique_ptr<Specification> specify_register(const CheckOptions&, const History&);
[[nodiscard]] std::unique_ptr<Specification> specify_versioned_register(const CheckOptions&, const History&);
[[nodiscard]] std::unique_ptr<Specification> specify_kv(const CheckOptions&, const History&);
[[nodiscard]] std::unique_ptr<Specification> specify_counter(const CheckOptions&, const History&);
[[nodiscard]] std::unique_ptr<Specification> specify_set(const CheckOptions&, const History&);
[[nodiscard]] std::unique_ptr<Specification> specify_log(const CheckOptions&, const History&);
[[nodiscard]] std::unique_ptr<Specification> specify_queue(const CheckOptions&, const History&);
[[nodiscard]] std::unique_ptr<Specification> specify_lock(const CheckOptions&, const History&);
[[nodiscard]] std::unique_ptr<Specification> specify_unique_ids(const CheckOptions&, const History&);

}  // namespace ordeal::lin
