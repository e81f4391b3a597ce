#include "targets/log/server/raft/raft.h"

#include <utility>

#include "targets/log/server/raft/codec.h"
#include "targets/log/server/raft/core.h"

namespace ordeal::log::raft {
namespace {

Result<void> check(const Options& options) {
  const auto refuse = [](const char* what) { return fail(ErrorCode::usage, std::string("consensus: ") + what); };
  if (options.id == kNobody) return refuse("a node's id is 1 or more");
  if (options.election_ticks == 0 || options.election_ticks_max <= options.election_ticks) {
    return refuse("the range of election time-outs is empty: election_ticks must be below election_ticks_max");
  }
  if (options.heartbeat_ticks == 0 || options.heartbeat_ticks >= options.election_ticks) {
    return refuse("heartbeat_ticks must be at least 1 and below election_ticks");
  }
  if (options.reads == ReadMode::lease && !options.check_quorum) {
    return refuse("lease reads need check_quorum: without it voters promise nothing");
  }
  if (options.reads == ReadMode::lease &&
      (options.lease_margin_ticks < 2 || options.lease_margin_ticks >= options.election_ticks)) {
    return refuse("lease_margin_ticks must be at least 2, since ticks are counted whole, and below election_ticks");
  }
  if (options.max_append_entries == 0 || options.max_inflight == 0 || options.snapshot_chunk_bytes == 0) {
    return refuse("max_append_entries, max_inflight and snapshot_chunk_bytes must be at least 1");
  }
  return {};
}

Result<void> check(const Recovered& recovered) {
  const auto refuse = [](const std::string& what) {
    return fail(ErrorCode::input, "consensus: what was recovered contradicts itself: " + what);
  };
  if (recovered.hard_state.term > kMaxTerm) return refuse("the term is out of range");
  if (recovered.snapshot.index == 0 && !recovered.snapshot.configuration.voters.empty()) {
    return refuse("a snapshot of index 0 has members; a new cluster starts with first_snapshot()");
  }
  Index index = recovered.snapshot.index;
  Term term = recovered.snapshot.term;
  for (const Entry& entry : recovered.entries) {
    if (entry.index <= recovered.snapshot.index) continue;
    const std::string where = "entry " + std::to_string(entry.index);
    if (entry.index != ++index) return refuse(where + " where " + std::to_string(index) + " was expected");
    if (entry.term < term)
      return refuse(where + " has term " + std::to_string(entry.term) + " after " + std::to_string(term));
    term = entry.term;
    if (entry.kind != EntryKind::configuration) continue;
    const Result<Configuration> configuration = decode_configuration(entry.data);
    if (!configuration) return refuse(where + ": " + configuration.error().message);
  }
  return {};
}

}  // namespace

Snapshot first_snapshot(Configuration configuration) {
  Snapshot snapshot;
  snapshot.index = 1;
  snapshot.term = 1;
  snapshot.configuration = std::move(configuration);
  return snapshot;
}

Raft::Raft(std::unique_ptr<Core> core) : core_(std::move(core)) {}
Raft::~Raft() = default;

Result<std::unique_ptr<Raft>> Raft::start(const Options& options, Recovered recovered, Rng rng) {
  if (Result<void> checked = check(options); !checked) return fail(checked.error());
  if (Result<void> checked = check(recovered); !checked) return fail(checked.error());
  return std::unique_ptr<Raft>(new Raft(std::make_unique<Core>(options, std::move(recovered), rng)));
}

void Raft::tick(unsigned count) { core_->tick(count); }
void Raft::step(Message message) { core_->step(std::move(message)); }
Proposed Raft::propose(std::string data) { return core_->propose(std::move(data)); }
Refusal Raft::read_index(std::uint64_t context) { return core_->read_index(context); }
Proposed Raft::change_members(std::vector<NodeId> voters, std::vector<NodeId> learners) {
  return core_->change_members(std::move(voters), std::move(learners));
}
Refusal Raft::transfer_leadership(NodeId target) { return core_->transfer_leadership(target); }
void Raft::campaign() {
  const bool alone = others(core_->configuration(), core_->options_.id).empty();
  if (alone || !core_->heeds_leader()) core_->campaign(false);
}
void Raft::persisted(std::uint64_t write) { core_->persisted(write); }
void Raft::applied(Index index) {
  ORDEAL_CHECK(index <= core_->delivered_, "an entry was applied that was never given out");
  if (index > core_->applied_) core_->applied_ = index;
}
Snapshot Raft::make_snapshot(Index index, std::string state) const {
  return core_->make_snapshot(index, std::move(state));
}
void Raft::compact(std::shared_ptr<const Snapshot> snapshot, Index first_kept) {
  core_->compact(std::move(snapshot), first_kept);
}
Output Raft::take_output() { return core_->take_output(); }
Status Raft::status() const { return core_->status(); }
Role Raft::role() const { return core_->role_; }
Term Raft::term() const { return core_->term_; }
NodeId Raft::leader() const { return core_->leader_; }
Index Raft::commit() const { return core_->commit_; }
Term Raft::term_at(Index index) const { return core_->log_.term(index); }
const Entry* Raft::entry_at(Index index) const { return core_->log_.at(index); }

}  // namespace ordeal::log::raft
