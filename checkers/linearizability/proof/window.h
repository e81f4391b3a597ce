#pragma once
// Window: a proof from the middle of a history, whatever was before.
//
// What refutes a history of many repeated values is often no value that nobody can have written, but a count that does
// not come out: compare-and-sets between four values, of which one more took a 2 than there were. A part that holds
// whatever may explain its operations (links.h) then reaches back to the beginning. A window does not: it claims that
// its operations have no order *from whatever state*, and so needs nothing of what had returned before it began.
//
//   write 3 |---|                                     returned before the window: left out
//   cas 1 2   |------------|                          open when it begins: may have happened before, or must fit
//                   ^ from    read 4 |--|   cas 2 1 |---|    and these have no order from any value
//
// A window is a moment `from`, a moment `end`, and some of the operations that returned after `from` and were invoked
// before `end`. It proves that the history has no linearization when
//   - from no state at all is there an order of them, where one invoked before `from` may have happened before, and one
//     that returns after `end` may not have happened yet; and
//   - it is complete: of what is left out between `from` and `end`, nothing may have explained one of them. Of a
//     register that is every operation that wrote what one of them observed (unless one of them shows that it had been
//     overwritten, exclusion.h); of kv and sets all that writes; of counters all additions, or none of them negative
//     (or none positive) when the order fails though any number may have been added (any_state.h). So it is with the
//     acquires and releases of a mutex, the puts and takes of containers, and logs and registers with versions, where
//     nothing subtracts.
// A window may be about some elements only, of which its operations then are (any_elements.h). About elements it may
// also begin with the history, in the state that is known then.
// For a linearization of the whole orders the operations of the window from `from` on, beginning in the state that it
// has at that moment.
// Tested by lin_counterexample_test: no window of a valid history proves anything. Thread-safety: pure.

#include <optional>
#include <vector>

#include "checkers/linearizability/interfaces/strategy.h"
#include "checkers/linearizability/proof/any_state.h"

namespace ordeal::lin {

struct Window {
  std::vector<CallIndex> calls;  // ascending
  EventIndex from = 0, end = kNever;
  bool minimal = false;  // without any one of them it would prove nothing
  Elements elements;     // that it is about; none: all
};

// Whether the model has windows at all, about some elements or about all.
[[nodiscard]] bool has_windows(const KeyHistory& history, const Elements& elements = {});
// A small window of a history whose events up to `failed_at` have no linearization. Nothing: none was found in time.
[[nodiscard]] std::optional<Window> find_window(const KeyHistory& history, EventIndex failed_at, Budget& budget,
                                                const Elements& elements = {});
// The same, from operations that are a window already when all that is before `end` is looked at. Nothing: they are
// none.
[[nodiscard]] std::optional<Window> reduce_window(const KeyHistory& history, Window window, Budget& budget);
// Whether it proves that the history has no linearization.
[[nodiscard]] bool proves(const KeyHistory& history, const Window& window, Budget& budget);

// The same for operations of which is not known where the window that they are begins and ends: tries all places.
[[nodiscard]] bool are_window(const KeyHistory& history, const std::vector<CallIndex>& calls, Budget& budget,
                              const Elements& elements = {});
// What is left out of a window in the way that counts.
[[nodiscard]] View view_of(const KeyHistory& history, const Window& window);

}  // namespace ordeal::lin
