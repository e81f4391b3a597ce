#include "targets/log/server/state/machine.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/value.h"
#include "targets/log/server/bugs.h"
#include "targets/log/server/state/codec.h"

namespace ordeal::log::state {
namespace {

constexpr raft::NodeId kFirstJoined = 1000;  // members that join get ids from here on; founders have small ones
constexpr std::string_view kMagic = "ordeal-log state 1\n";

std::string quoted(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

}  // namespace

Answer Machine::apply(raft::Index index, std::string_view bytes) {
  applied_ = index;
  const auto command = decode_command(bytes);
  if (!command) return refusal(AnswerCode::invalid, "not a command, or beyond a limit");
  now_ms_ = std::max(now_ms_, command->time_ms);
  lapse();
  sessions_.forget(index);
  const bool keyed = !command->idempotency_key.empty();
  const std::uint64_t request = keyed ? request_digest(bytes) : 0;
  if (keyed) {
    if (auto first = sessions_.find(command->idempotency_key, request)) return *std::move(first);
  }
  Answer answer = execute(*command, index);
  answer.index = index;
  if (keyed) sessions_.remember(command->idempotency_key, request, answer);
  return answer;
}

Answer Machine::execute(const Command& command, raft::Index index) {
  switch (command.kind) {
    case CommandKind::tick:
      return {};
    case CommandKind::append:
      return append(command, index);
    case CommandKind::transact:
      return transact(command, index);
    case CommandKind::set_add:
    case CommandKind::set_remove:
      return change_set(command, index);
    case CommandKind::enqueue:
    case CommandKind::dequeue:
    case CommandKind::ack:
    case CommandKind::nack:
    case CommandKind::drain_dead:
      return change_queue(command, index);
    case CommandKind::acquire:
    case CommandKind::keep_alive:
    case CommandKind::release:
      return change_lock(command, index);
    case CommandKind::generate:
      return {AnswerCode::ok, fmt::format("{{\"id\":{}}}", next_id_++), index, false};
    case CommandKind::set_member:
    case CommandKind::remove_member:
      return change_member(command, index);
  }
  return refusal(AnswerCode::invalid, "no such command");
}

Answer Machine::append(const Command& command, raft::Index index) {
  if (command.value.size() > kMaxEntryBytes) return refusal(AnswerCode::too_large, "an entry has at most 65535 bytes");
  const std::uint64_t position = entries_.size();
  entries_.push_back(command.value);
  events_.add({index, "append", "", fmt::format("{{\"position\":{},\"entry\":{}}}", position, quoted(command.value))});
  return {AnswerCode::ok, fmt::format("{{\"position\":{}}}", position), index, false};
}

Answer Machine::transact(const Command& command, raft::Index index) {
  std::vector<KeyValueMap::Change> changes;
  const auto holds = [this](const std::string& lock, std::uint64_t token) { return locks_.holds(lock, token); };
  Answer answer = map_.transact(command.steps, index, holds, changes);
  for (const auto& change : changes) {
    events_.add({index, change.item == nullptr ? "remove" : "put", change.key,
                 change.item == nullptr ? "null" : change.item->json()});
  }
  return answer;
}

Answer Machine::change_set(const Command& command, raft::Index index) {
  auto& set = sets_[command.key];
  const bool adds = command.kind == CommandKind::set_add;
  if (adds && set.size() >= kMaxElements) return refusal(AnswerCode::too_large, "the set is full");
  const bool changed = adds ? set.insert(command.value).second : set.erase(command.value) > 0;
  if (changed) events_.add({index, adds ? "set-add" : "set-remove", command.key, command.value});
  if (set.empty()) sets_.erase(command.key);
  return {AnswerCode::ok, fmt::format("{{\"changed\":{}}}", changed), index, false};
}

Answer Machine::change_queue(const Command& command, raft::Index index) {
  switch (command.kind) {
    case CommandKind::enqueue: {
      Answer answer = queues_.enqueue(command.key, command.value, index);
      if (answer.code == AnswerCode::ok) events_.add({index, "enqueue", command.key, command.value});
      return answer;
    }
    case CommandKind::dequeue:
      return queues_.dequeue(command, index, now_ms_);
    case CommandKind::ack:
      return queues_.ack(command.key, command.token);
    case CommandKind::nack:
      return queues_.nack(command.key, command.token);
    default:
      return queues_.drain_dead(command.key, command.amount);
  }
}

Answer Machine::change_lock(const Command& command, raft::Index index) {
  if (command.kind == CommandKind::acquire) {
    Answer answer = locks_.acquire(command, index, now_ms_);
    if (answer.code == AnswerCode::ok) events_.add({index, "acquire", command.key, command.value});
    return answer;
  }
  if (command.kind == CommandKind::keep_alive) return locks_.keep_alive(command, now_ms_);
  Answer answer = locks_.release(command.key, command.token);
  if (answer.code == AnswerCode::ok) events_.add({index, "release", command.key, "null"});
  return answer;
}

Answer Machine::change_member(const Command& command, raft::Index index) {
  const raft::NodeId node = command.token == 0 ? kFirstJoined + index : command.token;
  if (command.kind == CommandKind::set_member) {
    // The same addresses again are the same member: who asks to join may ask again.
    for (const auto& [id, member] : members_) {
      const bool same = member.addresses == command.value && member.name == command.key;
      if (command.token == 0 && same) return {AnswerCode::ok, fmt::format("{{\"node\":{}}}", id), index, false};
    }
    members_[node] = {command.key, command.value};
  } else if (members_.erase(node) == 0) {
    return refusal(AnswerCode::not_found, "no such member");
  }
  return {AnswerCode::ok, fmt::format("{{\"node\":{}}}", node), index, false};
}

// What lapsed by now, before anything else happens at this entry.
void Machine::lapse() {
  locks_.expire(now_ms_);
  queues_.expire(now_ms_);
}

bool Machine::tick_due(std::uint64_t now_ms) const {
  const auto due = [now_ms](std::uint64_t at) { return at != 0 && at <= now_ms; };
  return due(locks_.next_expiry_ms()) || due(queues_.next_expiry_ms());
}

Answer Machine::query(const Query& query) const {
  Answer answer;
  switch (query.kind) {
    case Query::Kind::look:
      answer = map_.look(query.steps,
                         [this](const std::string& lock, std::uint64_t token) { return locks_.holds(lock, token); });
      break;
    case Query::Kind::range:
      answer = map_.range(query.key, query.after, query.limit);
      break;
    case Query::Kind::set:
      answer = set_elements(query.key);
      break;
    case Query::Kind::queue:
      answer = queues_.look(query.key);
      break;
    case Query::Kind::lock:
      answer = locks_.look(query.key);
      break;
    case Query::Kind::entries:
      answer = entries_from(query.from, query.limit);
      break;
    case Query::Kind::events:
      answer = events_.read(query.from, query.key, query.limit, applied_);
      break;
    case Query::Kind::members:
      answer = all_members();
      break;
  }
  answer.index = applied_;
  return answer;
}

Answer Machine::set_elements(const std::string& key) const {
  Answer answer;
  answer.body = "{\"elements\":[";
  if (const auto found = sets_.find(key); found != sets_.end()) {
    for (const std::string& element : found->second) {
      if (answer.body.back() != '[') answer.body += ',';
      answer.body += element;
    }
  }
  answer.body += "]}";
  return answer;
}

Answer Machine::entries_from(std::uint64_t from, std::size_t limit) const {
  Answer answer;
  answer.body = "{\"entries\":[";
  for (std::uint64_t at = from; at < entries_.size() && at - from < limit; ++at) {
    if (at > from) answer.body += ',';
    append_json_string(answer.body, entries_[at]);
  }
  answer.body += fmt::format("],\"from\":{},\"size\":{}}}", from, entries_.size());
  return answer;
}

Answer Machine::all_members() const {
  Answer answer;
  answer.body = "{\"members\":[";
  for (const auto& [id, member] : members_) {
    if (answer.body.back() != '[') answer.body += ',';
    answer.body +=
        fmt::format("{{\"node\":{},\"name\":{},\"addresses\":{}}}", id, quoted(member.name), quoted(member.addresses));
  }
  answer.body += "]}";
  return answer;
}

std::string Machine::snapshot() const {
  Writer out;
  out.text(kMagic);
  out.number(applied_);
  out.number(now_ms_);
  out.number(bug(Bug::snapshot_loses_ids) ? 1 : next_id_);
  const std::size_t lost = bug(Bug::snapshot_loses_entry) && !entries_.empty() ? 1 : 0;
  out.number(entries_.size() - lost);
  for (std::size_t i = 0; i < entries_.size() - lost; ++i) out.text(entries_[i]);
  map_.save(out);
  out.number(sets_.size());
  for (const auto& [key, elements] : sets_) {
    out.text(key);
    std::size_t kept = elements.size() - (bug(Bug::snapshot_loses_element) ? 1 : 0);
    out.number(kept);
    for (const std::string& element : elements) {
      if (kept-- > 0) out.text(element);
      if (kept == 0) break;
    }
  }
  queues_.save(out);
  locks_.save(out);
  out.number(members_.size());
  for (const auto& [id, member] : members_) {
    out.number(id);
    out.text(member.name);
    out.text(member.addresses);
  }
  (bug(Bug::snapshot_loses_sessions) ? Sessions() : sessions_).save(out);
  events_.save(out);
  return out.take();
}

Result<void> Machine::restore(std::string_view bytes) {
  Reader in(bytes);
  if (in.text() != kMagic) return fail(ErrorCode::input, "the state of a snapshot: not of this version of ordeal-log");
  Machine fresh;
  fresh.applied_ = in.number();
  fresh.now_ms_ = in.number();
  fresh.next_id_ = in.number();
  const std::uint64_t entries = in.count();
  for (std::uint64_t i = 0; i < entries && in.ok(); ++i) fresh.entries_.push_back(in.text());
  fresh.map_.load(in);
  const std::uint64_t sets = in.count();
  for (std::uint64_t i = 0; i < sets && in.ok(); ++i) {
    auto& set = fresh.sets_[in.text()];
    const std::uint64_t elements = in.count();
    for (std::uint64_t n = 0; n < elements && in.ok(); ++n) set.insert(set.end(), in.text());
    if (set.size() != elements) in.fail();
  }
  fresh.queues_.load(in);
  fresh.locks_.load(in);
  const std::uint64_t members = in.count();
  for (std::uint64_t i = 0; i < members && in.ok(); ++i) {
    Member& member = fresh.members_[in.number()];
    member.name = in.text();
    member.addresses = in.text();
  }
  fresh.sessions_.load(in);
  fresh.events_.load(in);
  if (!in.finished()) return fail(ErrorCode::input, "the state of a snapshot: damaged");
  *this = std::move(fresh);
  return {};
}

}  // namespace ordeal::log::state
