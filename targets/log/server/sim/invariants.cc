#include "targets/log/server/sim/invariants.h"

#include <algorithm>
#include <utility>

#include "targets/log/server/raft/codec.h"
#include "targets/log/server/raft/quorum.h"

namespace ordeal::log::sim {
namespace {

std::string node(raft::NodeId id) { return "node " + std::to_string(id); }
std::string entry(raft::Index index, raft::Term term) {
  return "entry " + std::to_string(index) + " of term " + std::to_string(term);
}

// Counted here by hand, not by the functions of consensus, whose bugs this is to find.
bool majority(const std::vector<raft::NodeId>& group, const std::vector<raft::NodeId>& having) {
  const auto count =
      std::count_if(group.begin(), group.end(), [&](raft::NodeId id) { return raft::contains(having, id); });
  return group.empty() || 2 * static_cast<std::size_t>(count) > group.size();
}

}  // namespace

void Invariants::report(std::string kind, std::string what, Time now) {
  if (!violation_) violation_ = Violation{std::move(kind), std::move(what), now};
}

void Invariants::look(const View& view, const std::vector<View>& all, Time now) {
  if (view.raft->role() != raft::Role::leader) return;
  const raft::Term term = view.raft->term();
  const auto [leader, first] = leader_of_.emplace(term, view.id);
  if (leader->second != view.id) {
    report("election safety", node(leader->second) + " and " + node(view.id) + " lead in term " + std::to_string(term),
           now);
    return;
  }
  if (first) {
    check_complete(view, now);
    leader_commit_[view.id] = view.raft->commit();
  }
  if (view.raft->commit() > leader_commit_[view.id]) {
    leader_commit_[view.id] = view.raft->commit();
    check_durable(view, all, now);
    max_committed_ = std::max(max_committed_, view.raft->commit());
  }
}

void Invariants::check_complete(const View& leader, Time now) {
  const raft::Index first = leader.raft->status().first;
  for (auto at = committed_.rbegin(); at != committed_.rend(); ++at) {
    const auto& [index, committed] = *at;
    if (committed.seen_in >= leader.raft->term()) continue;
    const raft::Term term = leader.raft->term_at(index);
    if (index < first) return;
    if (term != committed.entry.term) {
      report("leader completeness",
             node(leader.id) + " leads in term " + std::to_string(leader.raft->term()) + " without the committed " +
                 entry(index, committed.entry.term) + ": it has term " + std::to_string(term) + " there",
             now);
      return;
    }
  }
}

void Invariants::check_durable(const View& leader, const std::vector<View>& all, Time now) {
  const raft::Index index = leader.raft->commit();
  const raft::Term term = leader.raft->term_at(index);
  const raft::Status status = leader.raft->status();
  // A change of members may have entered the log after this was committed by the configuration before it.
  if (status.configuration_index > index) return;
  std::vector<raft::NodeId> having;
  for (const View& view : all) {
    if (view.disk->has(index, term)) having.push_back(view.id);
  }
  std::sort(having.begin(), having.end());
  if (majority(status.configuration.voters, having) && majority(status.configuration.outgoing, having)) return;
  std::string list;
  for (const raft::NodeId id : having) list += " " + std::to_string(id);
  report("durable commitment",
         node(leader.id) + " committed " + entry(index, term) + ", which is durable only on" +
             (list.empty() ? " nobody" : list),
         now);
}

void Invariants::restored(raft::NodeId id, raft::Index index, Time now) {
  if (index + 1 < next_[id]) {
    report("state-machine safety",
           node(id) + " was given a snapshot of " + std::to_string(index) + " after entry " +
               std::to_string(next_[id] - 1),
           now);
  }
  next_[id] = index + 1;
}

void Invariants::check_configuration(const View& view, Time now) {
  const raft::Status status = view.raft->status();
  raft::Index index = status.last;
  while (index >= status.first && view.raft->entry_at(index)->kind != raft::EntryKind::configuration) --index;
  const bool right = index < status.first ? status.configuration_index <= index
                                          : status.configuration_index == index &&
                                                raft::encode(status.configuration) == view.raft->entry_at(index)->data;
  if (right) return;
  report("configuration",
         node(view.id) + " goes by the configuration of index " + std::to_string(status.configuration_index) +
             ", the last one in its log is at " + std::to_string(index),
         now);
}

void Invariants::delivered(const View& view, const raft::Entry& given, Time now) {
  raft::Index& next = next_[view.id];
  if (given.index != next) {
    report(
        "state-machine safety",
        node(view.id) + " was given " + entry(given.index, given.term) + " where " + std::to_string(next) + " was due",
        now);
    return;
  }
  ++next;
  const auto [known, first] = committed_.emplace(given.index, Committed{given, view.raft->term()});
  if (!first && known->second.entry != given) {
    report("state-machine safety",
           node(view.id) + " was given " + entry(given.index, given.term) + ", another was given " +
               entry(given.index, known->second.entry.term),
           now);
  }
}

void Invariants::compare_logs(const std::vector<View>& all, Time now) {
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i].raft != nullptr) check_configuration(all[i], now);
    for (std::size_t j = i + 1; j < all.size(); ++j) {
      if (all[i].raft != nullptr && all[j].raft != nullptr) compare(all[i], all[j], now);
    }
  }
}

void Invariants::compare(const View& a, const View& b, Time now) {
  const raft::Status x = a.raft->status(), y = b.raft->status();
  const raft::Index first = std::max(x.first, y.first);
  bool same = false;
  for (raft::Index index = std::min(x.last, y.last); index >= first; --index) {
    const raft::Entry &mine = *a.raft->entry_at(index), &other = *b.raft->entry_at(index);
    same = same || mine.term == other.term;
    if (same && mine != other) {
      report("log matching",
             node(a.id) + " and " + node(b.id) + " agree on a later entry, but have " + entry(index, mine.term) +
                 " and " + entry(index, other.term),
             now);
      return;
    }
  }
}

void Invariants::read_ready(std::uint64_t context, raft::Index index, Time now) {
  const auto floor = read_floor_.find(context);
  if (floor == read_floor_.end() || index >= floor->second) return;
  report("fresh reads",
         "a read was served from index " + std::to_string(index) + " though " + std::to_string(floor->second) +
             " was committed when it was asked for",
         now);
}

}  // namespace ordeal::log::sim
