#pragma once
// The part of the replicated log that a node keeps in memory: all entries after `base`, which is covered by a snapshot.
// Thread-safety: a value; one thread at a time.

#include <cstddef>
#include <deque>
#include <vector>

#include "targets/log/server/raft/types.h"

namespace ordeal::log::raft {

class Log {
 public:
  // An empty log that begins after this entry.
  void reset(Index base, Term base_term);

  // The entry before the first one kept, and its term: from there on terms are known.
  [[nodiscard]] Index base() const { return base_; }
  [[nodiscard]] Index last() const { return base_ + entries_.size(); }
  [[nodiscard]] Term last_term() const { return term(last()); }
  // 0 when it is not known: before base, after last.
  [[nodiscard]] Term term(Index index) const;
  // nullptr when it is not kept.
  [[nodiscard]] const Entry* at(Index index) const;
  // Whether (index, term) is where a log at least as new as this one ends [O 3.6.1].
  [[nodiscard]] bool is_up_to_date(Index index, Term term) const;
  // The greatest index up to `index` whose term is at most `term`; base when there is none: where two logs may still
  // agree.
  [[nodiscard]] Index last_at_most(Index index, Term term) const;
  // Entries from `from` on, at least one if there is one, then up to the two limits.
  [[nodiscard]] std::vector<Entry> copy(Index from, Index to, std::size_t max_entries, std::size_t max_bytes) const;

  // Requires: entry.index == last() + 1.
  void append(Entry entry);
  // Requires: index > base().
  void truncate_from(Index index);
  // Forgets entries up to and including `index`. Requires: base() <= index <= last().
  void drop_to(Index index);

 private:
  Index base_ = 0;
  Term base_term_ = 0;
  std::deque<Entry> entries_;
};

}  // namespace ordeal::log::raft
