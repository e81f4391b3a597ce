// What clients and peers ask of Replica.

#include <fmt/format.h>

#include <algorithm>

#include "targets/log/server/bugs.h"
#include "targets/log/server/node/call.h"
#include "targets/log/server/node/log_line.h"
#include "targets/log/server/node/replica.h"
#include "targets/log/server/raft/codec.h"
#include "targets/log/server/state/codec.h"

namespace ordeal::log::node {
namespace {

using Clock = Deadline::Clock;

// How long this node answers for a request that another one passed on; that one has its own deadline.
constexpr auto kServePatience = std::chrono::seconds(60);

Outcome refused(std::string code, std::string message, raft::Term term = 0) {
  return {Outcome::Kind::refused, {}, std::move(code), std::move(message), term};
}

Outcome stopping() { return refused("stopping", "the node is stopping, or has too much to do"); }

Outcome out_of_time() {
  return {Outcome::Kind::unknown, {}, "timeout", "no answer in time; it may have taken effect, or may yet", 0};
}

}  // namespace

Outcome Replica::submit(const state::Command& command, bool pass_on, Deadline deadline) {
  const auto call = std::make_shared<Call<Outcome>>();
  std::string bytes = state::encode(command);
  const bool taken = post([this, bytes = std::move(bytes), pass_on, deadline, call]() mutable {
    propose(std::move(bytes), pass_on, deadline, [call](Outcome outcome) { call->give(std::move(outcome)); });
  });
  if (!taken) return stopping();
  auto outcome = call->await(deadline);
  return outcome ? *std::move(outcome) : out_of_time();
}

void Replica::propose(std::string command, bool pass_on, Deadline deadline, Reply reply) {
  if (deadline.passed()) return reply(refused("timeout", "its time was over before it was begun"));
  if (raft_->role() == raft::Role::leader) {
    if (!unwritten_.empty()) return reply(refused("disk-full", storage_->trouble(), raft_->term()));
    if (!led_) look_around();  // the time of a new leader
    state::stamp(command, cluster_time_ms());
    const raft::Proposed proposed = raft_->propose(std::move(command));
    if (!proposed) return reply(refused(std::string(raft::name(proposed.refusal)), "not taken", raft_->term()));
    Waiting& waiting = waiting_[proposed.index];
    // Of an entry that was there in an earlier term: this leader does not have it, so it was never committed.
    if (waiting.reply) waiting.reply(refused("leader-changed", "another entry took its place", raft_->term()));
    waiting = {proposed.term, std::move(reply)};
    return;
  }
  const raft::NodeId leader = raft_->leader();
  if (leader == raft::kNobody) return reply(refused("no-leader", "no leader is known at the moment", raft_->term()));
  if (!pass_on) return reply(refused("not-leader", "this node does not lead", raft_->term()));
  const std::uint64_t id = next_passed_++;
  if (!peers_->send(leader, FrameKind::command, encode(Forwarded{id, {}, raft_->term(), command}))) {
    return reply(refused("no-leader", "there is no connection to the leader", raft_->term()));
  }
  if (bug(Bug::proxy_sends_twice) && id % 8 == 0) {
    (void)peers_->send(leader, FrameKind::command, encode(Forwarded{next_passed_++, {}, raft_->term(), command}));
  }
  passed_[id] = {leader, deadline, std::move(reply), nullptr};
}

Outcome Replica::read_barrier(bool pass_on, Deadline deadline) {
  const auto call = std::make_shared<Call<bool>>();
  const bool taken = post([this, pass_on, deadline, call] {
    ask_for_read(pass_on, deadline, [this, call](std::optional<raft::Index> index) {
      if (!index) return call->give(false);
      if (machine_.applied() >= *index) return call->give(true);
      when_applied_.emplace(*index, [call] { call->give(true); });
    });
  });
  if (!taken) return stopping();
  const auto good = call->await(deadline);
  const Glance now = glance();
  if (!good) return refused("timeout", "no quorum confirmed in time that what is here is up to date", now.term);
  if (!*good) return refused(now.leader == raft::kNobody ? "no-leader" : "not-leader", "no leader answered", now.term);
  return {Outcome::Kind::done, {}, {}, {}, now.term};
}

void Replica::ask_for_read(bool pass_on, Deadline deadline, ReadReply reply) {
  if (raft_->role() == raft::Role::leader) return new_reads_.push_back(std::move(reply));
  const raft::NodeId leader = raft_->leader();
  if (leader == raft::kNobody || !pass_on) return reply(std::nullopt);
  const std::uint64_t id = next_passed_++;
  if (!peers_->send(leader, FrameKind::read_index, encode(Forwarded{id, {}, raft_->term(), ""}))) {
    return reply(std::nullopt);
  }
  passed_[id] = {leader, deadline, nullptr, std::move(reply)};
}

// All reads that came since the last round share one round of heartbeats.
void Replica::begin_reads() {
  if (new_reads_.empty()) return;
  std::vector<ReadReply> asked;
  asked.swap(new_reads_);
  const std::uint64_t context = next_read_++;
  if (raft_->read_index(context) != raft::Refusal::none) {
    for (const ReadReply& reply : asked) reply(std::nullopt);
    return;
  }
  reads_[context] = std::move(asked);
}

void Replica::answer_reads(const raft::Output& output) {
  const auto give = [this](std::uint64_t context, std::optional<raft::Index> index) {
    const auto found = reads_.find(context);
    if (found == reads_.end()) return;
    const std::vector<ReadReply> asked = std::move(found->second);
    reads_.erase(found);
    for (const ReadReply& reply : asked) reply(index);
  };
  for (const raft::ReadReady& ready : output.reads) give(ready.context, ready.index);
  for (const std::uint64_t lost : output.lost_reads) give(lost, std::nullopt);
}

void Replica::received(raft::NodeId from, const FrameReader::Frame& frame) {
  if (gave_up_) return;
  if (frame.kind == FrameKind::consensus) {
    auto message = raft::decode_message(frame.payload);
    if (message && message->from == from && message->to == identity_.id) raft_->step(*std::move(message));
    return;
  }
  auto forwarded = decode_forwarded(frame.payload);
  if (!forwarded) return;
  if (frame.kind == FrameKind::command) return serve_forwarded(from, *std::move(forwarded), false);
  if (frame.kind == FrameKind::read_index) return serve_forwarded(from, *std::move(forwarded), true);
  if (frame.kind == FrameKind::answer) return forwarded_answer(from, *forwarded, false);
  if (frame.kind == FrameKind::read_answer) return forwarded_answer(from, *forwarded, true);
}

void Replica::serve_forwarded(raft::NodeId from, Forwarded request, bool read) {
  const std::uint64_t id = request.id;
  const Deadline patience = Deadline::after(kServePatience);
  if (read) {
    return ask_for_read(false, patience, [this, from, id](std::optional<raft::Index> index) {
      state::Writer out;
      out.number(index.value_or(0));
      const auto status = index ? Forwarded::Status::done : Forwarded::Status::refused;
      (void)peers_->send(from, FrameKind::read_answer, encode(Forwarded{id, status, raft_->term(), out.take()}));
    });
  }
  if (!state::decode_command(request.body)) return;  // no correct peer sends it
  propose(std::move(request.body), false, patience, [this, from, id](const Outcome& outcome) {
    Forwarded answer{id, Forwarded::Status::done, outcome.term, state::encode(outcome.answer)};
    if (outcome.kind != Outcome::Kind::done) {
      answer.status = outcome.kind == Outcome::Kind::refused ? Forwarded::Status::refused : Forwarded::Status::unknown;
      answer.body = outcome.code;
    }
    (void)peers_->send(from, FrameKind::answer, encode(answer));
  });
}

void Replica::forwarded_answer(raft::NodeId from, const Forwarded& answer, bool read) {
  const auto found = passed_.find(answer.id);
  if (found == passed_.end() || found->second.to != from || (found->second.read_reply != nullptr) != read) return;
  const Passed passed = std::move(found->second);
  passed_.erase(found);
  if (read) {
    state::Reader in(answer.body);
    const raft::Index index = in.number();
    const bool good = answer.status == Forwarded::Status::done && in.finished();
    return passed.read_reply(good ? std::optional(index) : std::nullopt);
  }
  const bool refusal = answer.status == Forwarded::Status::refused;
  if (answer.status != Forwarded::Status::done) {
    return passed.reply(
        {refusal ? Outcome::Kind::refused : Outcome::Kind::unknown, {}, answer.body, "said the leader", answer.term});
  }
  auto decoded = state::decode_answer(answer.body);
  if (!decoded) return passed.reply(out_of_time());
  passed.reply({Outcome::Kind::done, *std::move(decoded), {}, {}, answer.term});
}

// Requests that were passed on to a node that leads no more, or whose time is over: nobody knows.
void Replica::drop_passed() {
  const raft::NodeId leader = raft_->leader();
  for (auto at = passed_.begin(); at != passed_.end();) {
    const bool elsewhere = leader != raft::kNobody && at->second.to != leader;
    if (!elsewhere && !at->second.until.passed()) {
      ++at;
      continue;
    }
    const Passed passed = std::move(at->second);
    at = passed_.erase(at);
    if (passed.read_reply) {
      passed.read_reply(std::nullopt);
    } else {
      passed.reply({Outcome::Kind::unknown,
                    {},
                    "leader-changed",
                    "it was passed on to a node that leads no more",
                    raft_->term()});
    }
  }
}

state::Answer Replica::query(const state::Query& query) const {
  const std::shared_lock lock(state_mutex_);
  return machine_.query(query);
}

void Replica::with_state(const std::function<void(const state::Machine&, const tree::Tree&)>& use) const {
  const std::shared_lock lock(state_mutex_);
  use(machine_, tree_);
}

bool Replica::await_applied(raft::Index index, Deadline deadline) const {
  std::unique_lock lock(glance_mutex_);
  applied_wake_.wait_until(lock, deadline, [&] { return glance_.applied > index || glance_.stopped; });
  return glance_.applied > index;
}

Glance Replica::glance() const {
  const std::lock_guard lock(glance_mutex_);
  return glance_;
}

template <class T>
std::optional<T> Replica::ask(std::function<T()> question, Deadline deadline) const {
  const auto call = std::make_shared<Call<T>>();
  if (!post([question = std::move(question), call] { call->give(question()); })) return std::nullopt;
  return call->await(deadline);
}

Counters Replica::counters() const {
  const auto now = ask<Counters>(
      [this] {
        Counters out = counters_;
        const raft::Status status = raft_->status();
        out.elections = status.elections;
        out.refused_messages = status.refused;
        return out;
      },
      Deadline::after_s(1));
  return now.value_or(Counters{});
}

std::optional<raft::Status> Replica::status(Deadline deadline) const {
  return ask<raft::Status>([this] { return raft_->status(); }, deadline);
}

std::optional<raft::Refusal> Replica::add_learner(raft::NodeId node, Deadline deadline) {
  return ask<raft::Refusal>(
      [this, node] {
        const raft::Configuration now = raft_->status().configuration;
        const auto in = [node](const std::vector<raft::NodeId>& list) {
          return std::find(list.begin(), list.end(), node) != list.end();
        };
        if (in(now.voters) || in(now.learners)) return raft::Refusal::none;
        std::vector<raft::NodeId> learners = now.learners;
        learners.push_back(node);
        std::sort(learners.begin(), learners.end());
        return raft_->change_members(now.voters, std::move(learners)).refusal;
      },
      deadline);
}

std::optional<raft::Refusal> Replica::remove_node(raft::NodeId node, Deadline deadline) {
  return ask<raft::Refusal>(
      [this, node] {
        raft::Configuration now = raft_->status().configuration;
        const bool there = std::erase(now.voters, node) + std::erase(now.learners, node) > 0;
        if (!there) return raft::Refusal::none;
        return raft_->change_members(std::move(now.voters), std::move(now.learners)).refusal;
      },
      deadline);
}

std::optional<raft::Refusal> Replica::transfer(raft::NodeId to, Deadline deadline) {
  return ask<raft::Refusal>([this, to] { return raft_->transfer_leadership(to); }, deadline);
}

MemberAddress Replica::address_of(raft::NodeId node) const {
  MemberAddress out{node, "", "", ""};
  for (const auto* list : {&identity_.founders, &identity_.known}) {
    for (const MemberAddress& one : *list) {
      if (one.id == node) out = one;
    }
  }
  const auto take = [&out](const std::string& addresses) {
    const std::size_t space = addresses.find(' ');
    if (space == std::string::npos) return;
    out.peer = addresses.substr(0, space);
    out.client = addresses.substr(space + 1);
  };
  take(peers_->told_by(node));
  const std::shared_lock lock(state_mutex_);
  if (const auto found = machine_.members().find(node); found != machine_.members().end()) {
    out.name = found->second.name;
    take(found->second.addresses);
  }
  return out;
}

void Replica::stop(Deadline deadline) {
  const Deadline handed = deadline.within(std::chrono::seconds(2));
  while (glance().role == raft::Role::leader && !handed.passed()) {
    const auto now = status(handed);
    if (!now || now->configuration.voters.size() < 2) break;
    // To whoever has most of the log.
    const raft::PeerStatus* best = nullptr;
    for (const raft::PeerStatus& peer : now->peers) {
      const auto& voters = now->configuration.voters;
      const bool votes = std::find(voters.begin(), voters.end(), peer.id) != voters.end();
      if (votes && peer.active && (best == nullptr || peer.match > best->match)) best = &peer;
    }
    if (best == nullptr) break;
    (void)transfer(best->id, handed);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

}  // namespace ordeal::log::node
