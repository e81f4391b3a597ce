#pragma once
// What receives of unknown outcome had: can messages be dealt out to them, one each at most, so that what others saw is
// explained?
//
// A receive that found nothing wants every message that was there, and that nobody is known to have received, to have
// been with one of them: all those of one instant within it, so that there is one choice for each such instant. A dead
// message that nobody rejected wants as many of them as are missing of its attempts. A crashed receive can have had a
// message at any time after its invocation, and no message can have been received more often than it may be. Example,
// one crashed receive, and nothing received before:
//
//   put 1 · receive finds nothing · 1 is received · put 2 · receive finds nothing
//
// Either can be explained, but not both: the one that crashed had 1 or 2.
//
// Once it is chosen which messages have to be there by which events, each is matched with a crashed receive of its own
// that was invoked before its event (augmenting paths). The choices are searched for, from the first receive to the
// last, within a number of steps. Tested against trying all orders.
// Thread-safety: one thread.

#include <cstdint>
#include <map>
#include <vector>

#include "checkers/workload/judgement.h"

namespace ordeal::work {

class CrashedReceives {
 public:
  enum class Answer { explained, impossible, undecided };

  // One way to explain something: each of these messages had been with crashed receives, `times` of them, before an
  // event.
  struct Choice {
    EventIndex before = kNoEvent;
    std::vector<ValueId> messages;
    std::int64_t times = 1;
  };

  // `invoked`: the crashed receives, in that order.
  CrashedReceives(const Judgement& in, std::vector<EventIndex> invoked);

  // How often a message may have been received beside what is known, none when that is not said; and by which of the
  // crashed receives, in their order.
  void allow(ValueId message, std::int64_t times, std::vector<bool> by) { spare_[message] = {times, std::move(by)}; }
  // Something that was seen at `event`, and the ways in which it can be explained: `choices` are not empty, and those
  // come in the order of their events.
  void want(EventIndex event, std::vector<Choice> choices);

  // Counts its steps as work of the judgement, and so throws OutOfLimits.
  [[nodiscard]] Answer decide() const;
  // Events of `want`, not all needed, that cannot be explained together. Requires: decide() said impossible.
  [[nodiscard]] std::vector<EventIndex> proof() const;

 private:
  struct Want {
    EventIndex event = kNoEvent;
    std::vector<Choice> choices;
  };
  // What a message needs: once before `first`, and `times` in all before `all`.
  struct Need {
    EventIndex first = kNoEvent, all = kNoEvent;
    std::int64_t times = 0;
    friend bool operator==(const Need&, const Need&) = default;
  };
  using Needs = std::map<ValueId, Need>;

  [[nodiscard]] Answer decide(const std::vector<Want>& wants) const;
  Answer search(const std::vector<Want>& wants, std::size_t next, const Needs& needs, std::size_t& steps) const;
  static Needs with(const Needs& needs, const Choice& choice);
  [[nodiscard]] bool enough(const Needs& needs, std::size_t& steps) const;

  struct Spare {
    std::int64_t times = 0;
    std::vector<bool> by;
  };
  static constexpr std::size_t kMaxSteps = 1'000'000;
  static constexpr std::size_t kMaxTriedOneByOne = 40;
  const Judgement& in_;
  const std::vector<EventIndex> invoked_;
  std::map<ValueId, Spare> spare_;
  std::vector<Want> wants_;
};

}  // namespace ordeal::work
