#pragma once
// Reasons: what the searches for the name of a mistake share (reason.h): the operations of a part without a
// linearization, those of the whole history, and those that certainly failed. Thread-safety: pure.

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "checkers/linearizability/proof/reason.h"
#include "checkers/linearizability/proof/told.h"

namespace ordeal::lin {

using Found = std::optional<Reason>;

class Reasons {
 public:
  Reasons(const KeyHistory& minimal, const KeyHistory& whole)
      : told(minimal),
        part(minimal.calls),
        all(whole.calls),
        model(*whole.model),
        history(*whole.history),
        key(whole.key) {}

  // The first of the operations of the part for which `look` finds something.
  template <class Look>
  [[nodiscard]] Found first(Look look) const {
    for (const Call& call : part) {
      if (Found found = look(call)) return found;
    }
    return std::nullopt;
  }
  template <class Wanted>
  [[nodiscard]] std::size_t count(Wanted wanted) const {
    return static_cast<std::size_t>(std::count_if(all.begin(), all.end(), wanted));
  }
  template <class Wanted>
  [[nodiscard]] bool any(Wanted wanted) const {
    return std::any_of(all.begin(), all.end(), wanted);
  }

  // Where `call` got from what no operation of the history can have given it: nobody tried, whoever tried certainly
  // failed, or tried only later. `gives` says whether an operation gives it; `got`: "read 7", `gave`: "written".
  template <class Gives>
  [[nodiscard]] Found from_nowhere(const Call& call, const std::string& got, const std::string& thing,
                                   const std::string& gave, Gives gives) const {
    if (any([&](const Call& one) { return gives(one.op) && one.inv < call.ret; })) return std::nullopt;
    const std::string head = told.who(call) + " " + got + " (" + told.event(call.inv) + "), ";
    const auto failed = failed_ones(gives);
    if (!failed.empty())
      return Reason{"failed " + thing + " seen: " + head + "which " + history.client(history.process(failed.front())) +
                        " had tried, and been told that it failed (" + told.event(failed.front()) + ")",
                    {call.inv}};
    const auto later = std::find_if(all.begin(), all.end(), [&](const Call& one) { return gives(one.op); });
    if (later == all.end()) return Reason{"out of thin air: " + head + "which nobody had ever " + gave, {call.inv}};
    return Reason{"from the future: " + head + "which was first " + gave + " after that had ended, by " +
                      told.who(*later) + " (" + told.event(later->inv) + ")",
                  {call.inv, later->inv}};
  }

  const Told told;
  const std::vector<Call>& part;
  const std::vector<Call>& all;
  const Model& model;
  const History& history;

 private:
  // Operations that certainly failed and would have given it.
  template <class Gives>
  [[nodiscard]] std::vector<EventIndex> failed_ones(Gives gives) const {
    std::vector<EventIndex> out;
    for (EventIndex e = 0; e < history.size() && out.empty(); ++e) {
      if (history.type(e) != EventType::fail || history.process(e) < 0 || history.partner(e) == kNoEvent) continue;
      const EventIndex inv = history.partner(e);
      const ValueId own = history.key(inv) == kAbsent ? kNil : history.key(inv);
      if (model.per_key() && own != key) continue;
      const auto parsed = model.parse({inv, kNoEvent});
      if (parsed && *parsed && gives(**parsed)) out.push_back(inv);
    }
    return out;
  }

  ValueId key;
};

// Of registers with versions (reason_versions.cc), and of strings that are put and appended to (reason_strings.cc).
[[nodiscard]] std::optional<Reason> versioned_reason(const Reasons& in, const Model& whole);
[[nodiscard]] std::optional<Reason> string_reason(const Reasons& in);

}  // namespace ordeal::lin
