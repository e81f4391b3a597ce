#pragma once
// ElementRegister: one element of a set as a register, which add writes `there` to, remove writes `absent` to, and
// contains, or a read of the set, reads. What is said of an element is no more than that, and each update overwrites
// all earlier ones; so the rules by which parts of a register's history prove something (links.h) hold of an element,
// and let go of updates that somebody shows to be over, where all updates of an element go together otherwise.
//
// Tested by counterexample_test.cc and proof_test.cc. Thread-safety: pure.

#include <memory>
#include <optional>

#include "checkers/linearizability/proof/links.h"

namespace ordeal::lin {

struct ElementRegister {
  std::unique_ptr<Model> model;
  KeyHistory history;  // all that is said of the element, but of reads of the whole set only some
  Calls places;        // in the set's history, by place in `history`
};

// Of the element that the part is about. Nothing: the history is none of a set that begins empty, or the part is about
// several elements, or has a read that shows another one.
[[nodiscard]] std::optional<ElementRegister> element_register(const KeyHistory& history, const Calls& part);
// Of `element`, whatever else the reads show. REQUIRES: `calls`, ascending, has all that is said of the element, but of
// reads of the whole set only those that are to be looked at. Nothing: the history is none of a set that begins empty.
[[nodiscard]] std::optional<ElementRegister> element_register(const KeyHistory& history, std::int64_t element,
                                                              const Calls& calls);

}  // namespace ordeal::lin
