#pragma once
// Planted bugs of ordeal-log: defects of kinds that real systems had, one switch each, compiled only into the
// test build (macro ORDEAL_LOG_BUGS). In the normal build bug() is constant false and the compiler drops the branch.
//
//   if (bug(Bug::vote_without_log_check) || candidate_is_up_to_date) …
//
// To plant one: a line in the list below (name, room, public report it is modelled on), the branch, and a line in the
// test that finds it. Thread-safety: set the switch before other threads start.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace ordeal::log {

// X(name, room, what goes wrong, the public report or passage that it is modelled on)
#define ORDEAL_LOG_BUG_LIST(X)                                                           \
  X(two_votes_in_a_term, "raft", "grants a second candidate of the same term its vote",  \
    "Ongaro 2014, 3.4: a server votes for at most one candidate in a term")              \
  X(vote_without_log_check, "raft", "votes for a candidate whose log is behind its own", \
    "Ongaro 2014, 3.6.1: the election restriction")

enum class Bug : std::uint8_t {
  none,
#define ORDEAL_LOG_BUG_ENUMERATOR(name, room, what, report) name,
  ORDEAL_LOG_BUG_LIST(ORDEAL_LOG_BUG_ENUMERATOR)
#undef ORDEAL_LOG_BUG_ENUMERATOR
};

struct BugEntry {
  Bug bug = Bug::none;
  std::string_view name;  // as the enumerator is spelt
  std::string_view room;
  std::string_view what;
  std::string_view report;
};

inline constexpr auto kBugs = std::to_array<BugEntry>({
#define ORDEAL_LOG_BUG_ENTRY(name, room, what, report) BugEntry{Bug::name, #name, room, what, report},
    ORDEAL_LOG_BUG_LIST(ORDEAL_LOG_BUG_ENTRY)
#undef ORDEAL_LOG_BUG_ENTRY
});

// The bug of this name; '-' and '_' are the same.
[[nodiscard]] constexpr std::optional<Bug> bug_named(std::string_view name) {
  for (const BugEntry& entry : kBugs) {
    bool same = entry.name.size() == name.size();
    for (std::size_t i = 0; same && i < name.size(); ++i) {
      same = entry.name[i] == (name[i] == '-' ? '_' : name[i]);
    }
    if (same) return entry.bug;
  }
  return std::nullopt;
}

#ifdef ORDEAL_LOG_BUGS
inline Bug planted_bug = Bug::none;
[[nodiscard]] inline bool bug(Bug which) { return planted_bug == which; }
#else
[[nodiscard]] constexpr bool bug(Bug) { return false; }
#endif

}  // namespace ordeal::log
