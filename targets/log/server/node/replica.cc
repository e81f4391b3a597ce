// The node's thread: what comes in, what is carried out, and what is applied. Requests of clients: replica_requests.cc.

#include "targets/log/server/node/replica.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>

#include "targets/log/server/bugs.h"
#include "targets/log/server/node/log_line.h"
#include "targets/log/server/node/tree_files.h"
#include "targets/log/server/raft/codec.h"

namespace ordeal::log::node {
namespace {

using std::chrono::milliseconds;
using Clock = Deadline::Clock;

constexpr auto kTick = milliseconds(10);
constexpr auto kLookAround = milliseconds(200);
constexpr auto kRetryDisk = milliseconds(200);
constexpr std::size_t kMaxTasks = 100'000;
constexpr raft::Index kKeptBehindSnapshot = 1000;                // entries, for peers that lag a little
constexpr std::uint64_t kMaxLogBytes = std::uint64_t{64} << 20;  // then a snapshot is due whatever its entries

raft::Options raft_options(const NodeOptions& options, raft::NodeId id) {
  raft::Options out;
  out.id = id;
  out.election_ticks = static_cast<unsigned>(options.election_ms / 10);
  out.election_ticks_max = 2 * out.election_ticks;
  out.heartbeat_ticks = static_cast<unsigned>(options.heartbeat_ms / 10);
  out.reads = options.lease_reads ? raft::ReadMode::lease : raft::ReadMode::read_index;
  out.lease_margin_ticks = std::max(1U, out.election_ticks / 5);
  return out;
}

std::uint64_t random_seed() {
  std::random_device device;
  return (std::uint64_t{device()} << 32) | device();
}

}  // namespace

Replica::Replica(const NodeOptions& options, const Identity& identity, std::function<void(const std::string&)> failed)
    : options_(options), identity_(identity), failed_(std::move(failed)) {}

Result<std::unique_ptr<Replica>> Replica::start(const NodeOptions& options, const Identity& identity,
                                                wal::FileSystem& files,
                                                std::function<void(const std::string&)> failed) {
  std::unique_ptr<Replica> out(new Replica(options, identity, std::move(failed)));
  if (auto recovered = out->recover(files); !recovered) return fail(recovered.error());
  Replica* const self = out.get();
  const Hello hello{identity.cluster, identity.id, options.name,
                    options.advertise_peer + " " + options.advertise_client};
  auto peers = Peers::start(options.listen_peer, hello, [self](raft::NodeId from, FrameReader::Frame frame) {
    (void)self->post([self, from, frame = std::move(frame)] { self->received(from, frame); });
  });
  if (!peers) return fail(peers.error());
  out->peers_ = std::move(*peers);
  for (const auto* list : {&identity.founders, &identity.known}) {
    for (const MemberAddress& one : *list) out->peers_->set_address(one.id, one.peer);
  }
  out->update_addresses();
  out->thread_ = std::jthread([self](const std::stop_token& stop) { self->run(stop); });
  return out;
}

Replica::~Replica() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
  peers_.reset();  // its threads use what is destroyed next
}

Result<void> Replica::recover(wal::FileSystem& files) {
  wal::StorageOptions where;
  where.directory = options_.data;
  where.cluster = identity_.cluster;
  where.node = identity_.id;
  where.salt = random_seed();
  wal::Recovery found;
  auto storage = wal::Storage::open(files, where, found);
  if (!storage) return fail(storage.error());
  storage_ = std::move(*storage);
  if (auto same = check_tree(options_, where, files, found); !same) return same;
  for (const std::string& remark : found.remarks) log_line("WARN", remark);
  raft::Recovered recovered;
  recovered.hard_state = found.hard_state;
  if (!found.snapshot && !identity_.founders.empty()) {
    raft::Configuration founders;
    for (const MemberAddress& one : identity_.founders) founders.voters.push_back(one.id);
    found.snapshot = raft::first_snapshot(std::move(founders));
    if (auto saved = storage_->save_snapshot(*found.snapshot); !saved) return fail(saved.error());
  }
  if (found.snapshot) {
    // The first one is of an empty state.
    const std::string& state = found.snapshot->state;
    if (auto restored = state.empty() ? Result<void>() : machine_.restore(state); !restored) {
      return fail(restored.error());
    }
    last_snapshot_ = found.snapshot->index;
    recovered.snapshot = *std::move(found.snapshot);
  }
  machine_.advance(last_snapshot_);
  tree_ = tree::restored(machine_.entries());
  recovered.entries = std::move(found.entries);
  log_line("INFO", fmt::format("node {} ({}): term {}, snapshot {}, {} entries behind it, {} leaves", identity_.id,
                               options_.name, recovered.hard_state.term, last_snapshot_, recovered.entries.size(),
                               tree_.size()));
  auto raft = raft::Raft::start(raft_options(options_, identity_.id), std::move(recovered), Rng(random_seed()));
  if (!raft) return fail(raft.error());
  raft_ = std::move(*raft);
  if (identity_.founders.size() == 1 && raft_->status().configuration.voters.size() == 1) raft_->campaign();
  ticked_ = Clock::now();
  return {};
}

bool Replica::post(std::function<void()> task) const {
  const std::lock_guard lock(tasks_mutex_);
  if (closed_ || tasks_.size() >= kMaxTasks) return false;
  tasks_.push_back(std::move(task));
  if (tasks_.size() == 1) tasks_wake_.notify_one();
  return true;
}

void Replica::run(const std::stop_token& stop) {
  while (!stop.stop_requested() && !gave_up_) {
    take_tasks(stop);
    if (stop.stop_requested() || gave_up_) break;
    begin_reads();
    carry_out();
    snapshot_if_due();
    look_around();
    refresh_glance();
  }
  std::vector<std::function<void()>> left;
  {
    const std::lock_guard lock(tasks_mutex_);
    closed_ = true;
    left.swap(tasks_);
  }
  if (!gave_up_) {
    if (auto closed = storage_->close(); !closed) log_line("WARN", closed.error().message);
  }
  const std::lock_guard lock(glance_mutex_);
  glance_.stopped = true;
  applied_wake_.notify_all();
}

// Waits for tasks until the next tick, and does all that there are. Time comes first: a node that was paused must know
// so before it believes its lease.
void Replica::take_tasks(const std::stop_token& stop) {
  std::vector<std::function<void()>> tasks;
  {
    std::unique_lock lock(tasks_mutex_);
    tasks_wake_.wait_until(lock, stop, ticked_ + kTick, [this] { return !tasks_.empty(); });
    tasks.swap(tasks_);
  }
  pass_time();
  for (const auto& task : tasks) task();
}

void Replica::pass_time() {
  const auto ticks = (Clock::now() - ticked_) / kTick;
  if (ticks <= 0) return;
  ticked_ = Deadline(ticked_ + ticks * kTick);
  raft_->tick(static_cast<unsigned>(std::min<std::int64_t>(ticks, 1'000'000)));
}

void Replica::carry_out() {
  if (!unwritten_.empty()) retry_writes();
  while (!gave_up_) {
    raft::Output output = raft_->take_output();
    if (output.empty()) return;
    for (const raft::Message& message : output.messages) {
      (void)peers_->send(message.to, FrameKind::consensus, raft::encode(message));
    }
    if (output.snapshot) restore(*output.snapshot);
    const std::uint64_t number = output.write;
    // Writes keep their order: behind one that waits for room all others wait.
    const bool written = number != 0 && unwritten_.empty() && write(output);
    apply(output.committed);
    answer_reads(output);
    if (written) raft_->persisted(number);
    if (written || number == 0) continue;
    const bool first = unwritten_.empty();
    output.messages.clear();
    output.committed.clear();
    unwritten_.push_back(std::move(output));
    if (first) disk_trouble();
  }
}

bool Replica::write(raft::Output& output) {
  if (output.snapshot) {
    if (!storage_->save_snapshot(*output.snapshot)) return false;
    last_snapshot_ = std::max(last_snapshot_, output.snapshot->index);
  }
  if (!output.entries.empty()) storage_->append(output.entries);
  if (output.hard_state) storage_->set_hard_state(*output.hard_state);
  output.entries.clear();  // storage has them, also when the disk is full: they must not be appended twice
  output.hard_state.reset();
  ++counters_.syncs;
  return storage_->sync().has_value();
}

void Replica::retry_writes() {
  if (Clock::now() < retry_next_) return;
  while (!unwritten_.empty()) {
    if (!write(unwritten_.front())) return disk_trouble();
    raft_->persisted(unwritten_.front().write);
    unwritten_.pop_front();
  }
  log_line("INFO", "there is room on the disk again: writes are taken");
}

void Replica::disk_trouble() {
  if (storage_->health() == wal::Health::failed) return give_up(storage_->trouble());
  if (!glance_.disk_full) log_line("WARN", "the disk is full, writes are refused: " + storage_->trouble());
  retry_next_ = Deadline::after(kRetryDisk);
  // Another node may have room.
  for (const raft::PeerStatus& peer : raft_->status().peers) {
    if (peer.active && raft_->transfer_leadership(peer.id) == raft::Refusal::none) break;
  }
}

void Replica::give_up(const std::string& why) {
  gave_up_ = true;
  {
    const std::lock_guard lock(glance_mutex_);
    glance_.stopped = true;
    glance_.trouble = why;
    applied_wake_.notify_all();
  }
  log_line("FATAL", why);
  failed_(why);
}

void Replica::apply(const std::vector<raft::Entry>& entries) {
  if (entries.empty()) return;
  std::vector<std::pair<Reply, Outcome>> answers;
  {
    const std::unique_lock lock(state_mutex_);
    for (const raft::Entry& entry : entries) {
      if (entry.kind == raft::EntryKind::command) {
        apply_command(entry, answers);
      } else {
        machine_.advance(entry.index);
      }
    }
    for (std::size_t leaf = tree_.size(); leaf < machine_.entries().size(); ++leaf) {
      tree_.append(machine_.entries()[leaf]);
    }
  }
  counters_.applied += entries.size();
  const raft::Index last = entries.back().index;
  raft_->applied(last);
  update_addresses();
  refresh_glance();
  for (auto& [reply, outcome] : answers) reply(std::move(outcome));
  // Who waits for an entry that another leader's took the place of will wait in vain.
  while (!waiting_.empty() && waiting_.begin()->first <= last) {
    const Waiting waiting = std::move(waiting_.begin()->second);
    waiting_.erase(waiting_.begin());
    waiting.reply(
        {Outcome::Kind::refused, {}, "leader-changed", "another leader's entry took its place", raft_->term()});
  }
  while (!when_applied_.empty() && when_applied_.begin()->first <= last) {
    const auto then = std::move(when_applied_.begin()->second);
    when_applied_.erase(when_applied_.begin());
    then();
  }
}

void Replica::apply_command(const raft::Entry& entry, std::vector<std::pair<Reply, Outcome>>& answers) {
  state::Answer answer = machine_.apply(entry.index, entry.data);
  tick_proposed_ = false;
  const auto waiting = waiting_.find(entry.index);
  if (waiting == waiting_.end() || waiting->second.term != entry.term) return;
  answers.emplace_back(std::move(waiting->second.reply),
                       Outcome{Outcome::Kind::done, std::move(answer), {}, {}, entry.term});
  waiting_.erase(waiting);
}

void Replica::restore(const raft::Snapshot& snapshot) {
  {
    const std::unique_lock lock(state_mutex_);
    if (snapshot.state.empty()) {
      machine_ = state::Machine();
    } else if (auto restored = machine_.restore(snapshot.state); !restored) {
      return give_up(restored.error().message + " (sent by the leader)");
    }
    machine_.advance(snapshot.index);
    tree_ = tree::restored(machine_.entries());
  }
  log_line("INFO", fmt::format("took the leader's snapshot of entry {}", snapshot.index));
  update_addresses();
  while (!waiting_.empty() && waiting_.begin()->first <= snapshot.index) {
    const Waiting waiting = std::move(waiting_.begin()->second);
    waiting_.erase(waiting_.begin());
    waiting.reply({Outcome::Kind::unknown,
                   {},
                   "leader-changed",
                   "the entry is covered by another leader's snapshot",
                   raft_->term()});
  }
  while (!when_applied_.empty() && when_applied_.begin()->first <= snapshot.index) {
    const auto then = std::move(when_applied_.begin()->second);
    when_applied_.erase(when_applied_.begin());
    then();
  }
}

void Replica::snapshot_if_due() {
  const raft::Index applied = machine_.applied();
  if (gave_up_ || !unwritten_.empty() || applied <= last_snapshot_) return;
  if (applied < last_snapshot_ + options_.snapshot_entries && storage_->log_bytes() < kMaxLogBytes) return;
  auto snapshot = std::make_shared<raft::Snapshot>(raft_->make_snapshot(applied, machine_.snapshot()));
  if (!storage_->save_snapshot(*snapshot)) {
    if (storage_->health() == wal::Health::failed) give_up(storage_->trouble());
    return;  // full: the log goes on without it, as long as there is room
  }
  last_snapshot_ = applied;
  ++counters_.snapshots;
  raft_->compact(std::move(snapshot), applied > kKeptBehindSnapshot ? applied - kKeptBehindSnapshot : 1);
}

// What is looked at now and then.
void Replica::look_around() {
  const bool leads = raft_->role() == raft::Role::leader;
  if (leads != led_) {
    led_ = leads;
    led_since_ = Clock::now();
    led_from_ms_ = machine_.now_ms();
    tick_proposed_ = false;
#ifdef ORDEAL_LOG_BUGS
    if (leads && bug(Bug::sessions_forgotten_by_leader)) {
      const std::unique_lock lock(state_mutex_);
      machine_.forget_sessions();
    }
#endif
    log_line("INFO", fmt::format("{} in term {}", leads ? "leads" : "leads no more", raft_->term()));
  }
  if (raft_->leader() != last_leader_) {
    last_leader_ = raft_->leader();
    drop_passed();
  }
  if (Clock::now() < look_next_) return;
  look_next_ = Deadline::after(kLookAround);
  drop_passed();
  if (!leads) return;
  promote_learners();
  if (!tick_proposed_ && machine_.tick_due(cluster_time_ms())) {
    std::string tick = state::encode(state::Command{});
    state::stamp(tick, cluster_time_ms());
    tick_proposed_ = static_cast<bool>(raft_->propose(std::move(tick)));
  }
}

// A learner that is up to date becomes a voter: that is what it came for.
void Replica::promote_learners() {
  const raft::Status status = raft_->status();
  if (status.configuration.learners.empty() || !status.configuration.outgoing.empty()) return;
  std::vector<raft::NodeId> learners = status.configuration.learners;
  std::vector<raft::NodeId> voters = status.configuration.voters;
  voters.push_back(learners.front());
  std::sort(voters.begin(), voters.end());
  learners.erase(learners.begin());
  (void)raft_->change_members(std::move(voters), std::move(learners));  // refused while it lags: asked again
}

void Replica::update_addresses() {
  if (!peers_) return;
  for (const auto& [id, member] : machine_.members()) {
    peers_->set_address(id, member.addresses.substr(0, member.addresses.find(' ')));
  }
}

void Replica::refresh_glance() {
  const std::lock_guard lock(glance_mutex_);
  if (glance_.stopped) return;
  const bool news = glance_.applied != machine_.applied();
  glance_.role = raft_->role();
  glance_.term = raft_->term();
  glance_.leader = raft_->leader();
  glance_.commit = raft_->commit();
  glance_.applied = machine_.applied();
  glance_.disk_full = !unwritten_.empty();
  glance_.trouble = unwritten_.empty() ? "" : storage_->trouble();
  if (news) applied_wake_.notify_all();
}

std::uint64_t Replica::cluster_time_ms() const {
  if (!led_) return machine_.now_ms();
  if (bug(Bug::lease_by_wall_clock)) {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return static_cast<std::uint64_t>(std::chrono::duration_cast<milliseconds>(now).count());
  }
  const auto led = std::chrono::duration_cast<milliseconds>(Clock::now() - led_since_).count();
  return led_from_ms_ + static_cast<std::uint64_t>(led);
}

}  // namespace ordeal::log::node
