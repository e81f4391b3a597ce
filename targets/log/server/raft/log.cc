#include "targets/log/server/raft/log.h"

#include <algorithm>
#include <utility>

namespace ordeal::log::raft {

void Log::reset(Index base, Term base_term) {
  base_ = base;
  base_term_ = base_term;
  entries_.clear();
}

Term Log::term(Index index) const {
  if (index == base_) return base_term_;
  const Entry* entry = at(index);
  return entry == nullptr ? 0 : entry->term;
}

const Entry* Log::at(Index index) const {
  return index > base_ && index <= last() ? &entries_[index - base_ - 1] : nullptr;
}

bool Log::is_up_to_date(Index index, Term term) const {
  return term > last_term() || (term == last_term() && index >= last());
}

Index Log::last_at_most(Index index, Term term) const {
  index = std::min(index, last());
  while (index > base_ && this->term(index) > term) --index;
  return std::max(index, base_);
}

std::vector<Entry> Log::copy(Index from, Index to, std::size_t max_entries, std::size_t max_bytes) const {
  std::vector<Entry> found;
  std::size_t bytes = 0;
  for (Index i = from; i <= to && found.size() < max_entries; ++i) {
    const Entry* entry = at(i);
    if (entry == nullptr) break;
    bytes += entry->data.size();
    if (!found.empty() && bytes > max_bytes) break;
    found.push_back(*entry);
  }
  return found;
}

void Log::append(Entry entry) { entries_.push_back(std::move(entry)); }

void Log::truncate_from(Index index) {
  entries_.erase(entries_.begin() + static_cast<std::ptrdiff_t>(index - base_ - 1), entries_.end());
}

void Log::drop_to(Index index) {
  base_term_ = term(index);
  entries_.erase(entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(index - base_));
  base_ = index;
}

}  // namespace ordeal::log::raft
