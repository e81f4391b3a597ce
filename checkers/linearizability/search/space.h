#pragma once
// Space: what the general searches walk: one key's calls numbered by class, states interned, transitions memoised, and
// configurations, the nodes of the search.
//
// A configuration is a state plus what has become of the operations that are open at the moment (and of crashed ones),
// never anything about operations that are over: so its size follows the concurrency and not the length. An open
// operation is
//   pending     not linearized yet, and must be before it returns;
//   linearized  it has had its effect;
//   absorbed    there is a point in the past, while it was open, at which it may be inserted without changing any
//               state: because it left the state as it was (a read of the value that was there), or because a blind
//               write was linearized right after it, and whatever is legal everywhere may go unnoticed before that.
// An absorbed operation may return without more ado, or still be linearized for its effect: absorbed is at least as
// good as either of the others. Any number of operations may be absorbed at the same point, which is why "legal
// everywhere" (kTotal) is asked for. With many concurrent writers nearly all are absorbed at any moment, and the search
// that would be exponential in their number is not.
//
// Crashed operations are counted by class, used against available. A configuration dominates another with the same
// state when its open operations are at least as well off and it has used no more of any class; a crashed blind write
// may stand for a crashed cas to the same value (Model::covers). The dominated one need not be looked at.
//
// Among configurations of one state dominance is a simulation: whatever the dominated one can do next, the other can do
// too and dominates it again. So the join of two (for each open operation the better of both, and absorbed when one has
// linearized it and the other has not; of each crashed class the lesser use) dominates both, and a search that works
// with joins finds a way wherever there is one, though it may find one where there is none.
//
// Open operations of one class are interchangeable, so of those that are equally well off only the one that returns
// first is ever linearized.
//
// Thread-safety: one thread.

#include <algorithm>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "checkers/linearizability/interfaces/key_history.h"
#include "checkers/linearizability/interfaces/strategy.h"
#include "checkers/linearizability/search/relaxation.h"

namespace ordeal::lin {

using StateId = std::uint32_t;
using ClassId = std::uint32_t;
inline constexpr std::uint32_t kIllegal = 0xFFFFFFFEu;

// Interned states and memoised transitions.
class Transitions {
 public:
  Transitions(const Model& model, const std::vector<Operation>& classes, Budget& budget)
      : model_(model), classes_(classes), budget_(budget), dense_(classes.size() <= 512) {}
  ~Transitions() { budget_.give_back(charged_); }
  Transitions(const Transitions&) = delete;
  Transitions& operator=(const Transitions&) = delete;

  [[nodiscard]] StateId intern(State state);
  // The states that `op` leads to; empty: not legal. Valid until the next call.
  [[nodiscard]] std::span<const StateId> next(StateId state, ClassId op);
  // True when the operation is legal and leaves the state as it is, whatever it might do besides.
  [[nodiscard]] bool preserves(StateId state, ClassId op) {
    for (const StateId s : next(state, op)) {
      if (s == state) return true;
    }
    return false;
  }
  [[nodiscard]] State state(StateId id) const { return {states_[id].words, states_[id].words + states_[id].size}; }
  [[nodiscard]] std::size_t size() const { return states_.size(); }
  // What is kept beside, by state.
  void charge(std::size_t bytes);

 private:
  // States and rows of the table lie in large blocks: there may be millions, and a search whose time is over should not
  // spend more on letting go of them one by one.
  struct Stored {
    const std::uint32_t* words = nullptr;
    std::uint32_t size = 0;
    std::uint32_t hash = 0;
  };
  std::uint32_t* room_for(std::size_t words);
  std::uint32_t& place_of(const State& state, std::uint32_t hash);
  void grow();
  std::uint32_t compute(StateId state, ClassId op);
  static constexpr std::uint32_t kUnset = 0xFFFFFFFFu, kMany = 0x80000000u;
  const Model& model_;
  const std::vector<Operation>& classes_;
  Budget& budget_;
  bool dense_;
  std::size_t charged_ = 0;
  std::vector<State> scratch_;
  State from_;
  std::vector<std::unique_ptr<std::uint32_t[]>> blocks_;
  std::uint32_t* block_end_ = nullptr;  // of the last block
  std::size_t free_ = 0;                // of its words
  std::vector<Stored> states_;
  std::vector<std::uint32_t> ids_;                                  // open addressing: states, or kUnset
  std::vector<std::uint32_t*> table_;                               // dense: by state, then class
  boost::unordered_flat_map<std::uint64_t, std::uint32_t> sparse_;  // state << 32 | class
  std::vector<std::vector<StateId>> many_;
  StateId single_ = 0;
};

// One key's calls, prepared for the searches.
struct Prepared {
  std::vector<Call> calls;        // tightened, without crashed ones that cannot matter
  std::vector<CallIndex> origin;  // by call: its index in the KeyHistory
  std::vector<KeyEvent> events;
  std::vector<Operation> classes;
  std::vector<unsigned> traits;        // by class
  std::vector<ClassId> class_of;       // by call
  std::vector<std::uint16_t> slot_of;  // by call that is not crashed: its place while it is open
  std::size_t slots = 0;
  // Crashed classes: counters of at most 255 calls each.
  struct Counter {
    ClassId op = 0;
    std::int32_t cover = -1;  // the counter of a class that may stand for this one
    bool continues = false;   // the counter before it counts the same class and must be used up first
    bool counted = true;      // false: once one was invoked there are as many as anybody wants (relaxation.h)
  };
  std::vector<Counter> counters;
  std::vector<std::uint32_t> counter_of;  // by crashed call
};
[[nodiscard]] Prepared prepare(const KeyHistory& history, const Relaxation& relaxation = {});

class Space {
 public:
  Space(const KeyHistory& history, Budget& budget, const Relaxation& relaxation = {});

  // A configuration is `stride` words: state | total used << 32, linearized bits, absorbed bits, used counts.
  using Word = std::uint64_t;
  [[nodiscard]] std::size_t stride() const { return stride_; }
  [[nodiscard]] std::size_t words() const { return words_; }
  [[nodiscard]] static StateId state(const Word* c) { return static_cast<StateId>(c[0]); }
  [[nodiscard]] static std::uint32_t total_used(const Word* c) { return static_cast<std::uint32_t>(c[0] >> 32); }
  [[nodiscard]] bool is_linearized(const Word* c, std::size_t slot) const {
    return c[1 + slot / 64] >> (slot % 64) & 1;
  }
  [[nodiscard]] bool is_absorbed(const Word* c, std::size_t slot) const {
    return c[1 + words_ + slot / 64] >> (slot % 64) & 1;
  }
  void clear(Word* c, std::size_t slot) const {
    c[1 + slot / 64] &= ~(Word{1} << (slot % 64));
    c[1 + words_ + slot / 64] &= ~(Word{1} << (slot % 64));
  }
  [[nodiscard]] std::vector<Word> initial();
  [[nodiscard]] bool dominates(const Word* a, const Word* b) const;
  [[nodiscard]] std::uint64_t hash(const Word* c) const;
  // Makes `into` the join of both. REQUIRES: they have the same state.
  void join(Word* into, const Word* c) const;
  // How many open and crashed operations fare differently in the two.
  [[nodiscard]] std::size_t distance(const Word* a, const Word* b) const;
  // The lower, the more promising: pending operations and crashed ones used up count most.
  [[nodiscard]] std::size_t effort(const Word* c) const;

  // Moves the view to after an event: opens or closes the call. Configurations are the caller's to update.
  void open(CallIndex call);
  void close(CallIndex call);
  // The same backwards, for a search that returns to where it was: undo a close, undo an open.
  void reopen(CallIndex call);
  void unopen(CallIndex call);
  // A call was opened: true when the configuration's state absorbs it (its bit is then set).
  void absorb_opened(Word* c, CallIndex call);

  // Call `emit(child, op)` for each configuration that linearizing one operation leads to: linearize() `call` itself,
  // expand() any open call other than `first` and any crashed class, as long as that changes the state. `op` is a
  // call, or kCrashed | counter. The child's buffer is only lent.
  static constexpr std::uint32_t kCrashed = 0x80000000u;
  template <class Emit>
  void linearize(const Word* c, CallIndex call, Emit&& emit);
  template <class Emit>
  void expand(const Word* c, CallIndex first, Emit&& emit);

  Prepared prepared;
  Transitions transitions;

 private:
  void enter(Word* c, StateId next);
  const Word* preserved(StateId state);

  std::size_t words_, stride_;
  EventIndex from_;  // what was invoked before is absorbed from the beginning (KeyHistory::from)
  StateId initial_ = 0;
  std::vector<Word> child_;
  // The open calls: by class, in the order of their returns; and the masks that go with them.
  std::vector<ClassId> open_classes_;
  std::vector<std::vector<CallIndex>> open_by_class_;
  std::vector<Word> total_mask_, open_mask_;
  std::vector<std::uint8_t> available_;  // by counter
  // For the present set of open calls: which of them each state absorbs.
  std::vector<std::unique_ptr<Word[]>> preserved_;  // in blocks
  std::vector<std::uint64_t> preserved_at_;         // by state: the version that its mask is of
  std::uint64_t version_ = 1;
};

template <class Emit>
void Space::linearize(const Word* c, CallIndex call, Emit&& emit) {
  const ClassId op = prepared.class_of[call];
  const std::size_t slot = prepared.slot_of[call];
  const auto found = transitions.next(state(c), op);
  // `next` lends its result until it is called again, and enter() calls it.
  StateId successors[4];
  std::vector<StateId> many;
  std::span<const StateId> list(successors, found.size());
  if (found.size() <= 4) {
    std::copy(found.begin(), found.end(), successors);
  } else {
    many.assign(found.begin(), found.end());
    list = many;
  }
  for (const StateId next : list) {
    std::copy(c, c + stride_, child_.begin());
    child_[1 + slot / 64] |= Word{1} << (slot % 64);
    child_[1 + words_ + slot / 64] &= ~(Word{1} << (slot % 64));
    if ((prepared.traits[op] & kOverwrites) != 0) {
      for (std::size_t w = 0; w < words_; ++w) child_[1 + words_ + w] |= total_mask_[w] & ~child_[1 + w];
    }
    enter(child_.data(), next);
    emit(child_.data(), call);
  }
}

template <class Emit>
void Space::expand(const Word* c, CallIndex first, Emit&& emit) {
  const StateId here = state(c);
  for (const ClassId op : open_classes_) {
    if ((prepared.traits[op] & kPure) != 0 && transitions.preserves(here, op)) continue;
    const auto next = transitions.next(here, op);
    if (next.empty() || (next.size() == 1 && next[0] == here)) continue;
    // Of one class, the first that returns among the pending, and among the absorbed.
    bool pending = false, absorbed = false;
    for (const CallIndex call : open_by_class_[op]) {
      const std::size_t slot = prepared.slot_of[call];
      if (is_linearized(c, slot)) continue;
      bool& done = is_absorbed(c, slot) ? absorbed : pending;
      if (done) continue;
      done = true;
      if (call != first) linearize(c, call, emit);
      if (pending && absorbed) break;
    }
  }
  const auto* used = reinterpret_cast<const std::uint8_t*>(c + 1 + 2 * words_);
  for (std::size_t q = 0; q < prepared.counters.size(); ++q) {
    if (used[q] >= available_[q]) continue;
    if (prepared.counters[q].continues && used[q - 1] < 255) continue;
    const auto found = transitions.next(here, prepared.counters[q].op);
    const std::vector<StateId> list(found.begin(), found.end());
    for (const StateId next : list) {
      if (next == here) continue;
      std::copy(c, c + stride_, child_.begin());
      if (prepared.counters[q].counted) {
        child_[0] += Word{1} << 32;
        ++reinterpret_cast<std::uint8_t*>(child_.data() + 1 + 2 * words_)[q];
      }
      if ((prepared.traits[prepared.counters[q].op] & kOverwrites) != 0) {
        for (std::size_t w = 0; w < words_; ++w) child_[1 + words_ + w] |= total_mask_[w] & ~child_[1 + w];
      }
      enter(child_.data(), next);
      emit(child_.data(), kCrashed | static_cast<std::uint32_t>(q));
    }
  }
}

}  // namespace ordeal::lin
