#pragma once
// Links: which operations of a history cannot be left out of a counterexample without making it a wrong one.
//
// Leaving an operation out of a history must not take away what may have explained another one: {write 1, write 2,
// read 1} has no linearization, but proves nothing about a history in which somebody wrote 1 again before the read.
// A part of a history is *complete* when this cannot happen: then a linearization of the whole, restricted to the part,
// is one of the part, so that a part without linearization proves that the whole has none.
//
//   registers   every operation that may have written what a kept one observed is kept, unless a kept one shows that it
//               had been overwritten (exclusion.h); and at least one that wrote it, so that one sees where it came from
//   containers, sets, logs   all operations on one element stay or go together; an element that a kept read saw stays,
//               and so does a crashed take, which may have taken any, what was there from the beginning, and all of a
//               log that is read from an offset; but what is about one element of a set is judged as a register's
//               (element.h) where that leaves out more
//   locks       an acquire and its release stay or go together; where a process releases a mutex that it did not
//               acquire, and anybody may, all stay
//   others      only what changes nothing can go (reads of a counter)
//
// That complete parts prove what they say holds by argument, and by test for every model of the catalogue
// (counterexample_test.cc). Thread-safety: one thread.

#include <boost/unordered/unordered_flat_map.hpp>
#include <vector>

#include "checkers/linearizability/interfaces/key_history.h"
#include "checkers/linearizability/special/exclusion.h"

namespace ordeal::lin {

using Calls = std::vector<CallIndex>;  // ascending

class Links {
 public:
  explicit Links(const KeyHistory& history);

  // What is to be left out as a whole. -1: it can go alone.
  [[nodiscard]] std::int64_t together(CallIndex call) const { return links_[call].together; }
  // True when it cannot go at all.
  [[nodiscard]] bool stays(CallIndex call) const { return links_[call].stays; }
  // Whether the part is complete. With `crashed_observe` false, crashed cas are taken for crashed writes: what they
  // observed is of no interest.
  [[nodiscard]] bool complete(const Calls& part, bool crashed_observe);
  // The same where the order of time says nothing, as below linearizability: whoever may have given a kept operation
  // what it observed is kept.
  [[nodiscard]] bool complete_in_any_order(const Calls& part) const;
  // The smallest part found that is complete and contains this one; empty when it would be larger than `most`.
  // REQUIRES: a register.
  [[nodiscard]] Calls completed(Calls part, bool crashed_observe, std::size_t most);
  // Leaves out of a prefix what was still open when the history failed and saw what was provided only later.
  void drop_unfinished(Calls& prefix, EventIndex failed_at) const;

 private:
  struct Link {
    std::vector<std::int64_t> provides, needs;
    std::int64_t together = -1;
    bool stays = false;
  };
  // The operations of a register that write one value.
  struct Writers {
    Calls returned, crashed;                // ascending
    std::vector<EventIndex> latest_return;  // by place in `returned`: the last return up to there
  };
  using Provided = boost::unordered_flat_map<std::int64_t, EventIndex>;  // by token: when it was provided first

  using Held =
      boost::unordered_flat_map<std::int32_t, std::vector<std::int64_t>>;  // by process: acquires not released yet
  void link(CallIndex call, Held& held);
  void link_elements(const Call& call, Link& out) const;
  void keep_initial();
  [[nodiscard]] Provided provided_by(const Calls& part) const;
  [[nodiscard]] bool has_needs(const Calls& part) const;
  template <class Missing>
  void for_each_missing(const Calls& part, bool crashed_observe, Missing&& missing);
  [[nodiscard]] CallIndex write_before(EventIndex moment, std::int64_t other_than) const;

  const KeyHistory& history_;
  Family family_;
  bool is_register_;
  std::vector<Link> links_;
  Provided provided_;
  boost::unordered_flat_map<std::int64_t, Writers> writers_;
  Calls writes_by_return_;     // blind writes of a register
  bool lent_out_ = false;      // a process released a lock that it had not acquired
  std::vector<bool> in_part_;  // scratch, false between calls
};

}  // namespace ordeal::lin
