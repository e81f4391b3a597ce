#pragma once
// The checker "set": a grow-only set; nothing acknowledged is lost, nothing appears that nobody added.
//
// Operations: `add` with an element, `read` whose ok value is the list (or EDN set) of all elements; keys, if any, are
// sets of their own. An element is *known* from the first acknowledgement of its add, or from the first read that
// saw it; from then on every read that is invoked later must contain it. After Jepsen's set-full:
//
//   lost-element        known, absent from a read, and in no read that ended after that one began
//   stale-read          known, absent from a read, but seen again
//   unexpected-element  read, but never added, or only by adds that certainly failed, or before its add was invoked
//   duplicate-element   twice in one read
//
// The details count further: recovered elements (added by a crashed operation, and there), never read ones, and how
// long after an element was known reads were still without it. CheckOptions::consistency: "linearizable" (default)
// as above; "eventual": stale reads are only counted, and an element is lost when it is absent from the last read of
// those that were invoked after every add had ended.
//
// Cost: O(all elements of all reads). Thread-safety: stateless.

#include <memory>

#include "checkers/checker.h"

namespace ordeal {

[[nodiscard]] std::shared_ptr<const Checker> set_checker();

}  // namespace ordeal
