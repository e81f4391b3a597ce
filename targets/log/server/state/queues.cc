#include "targets/log/server/state/queues.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "targets/log/server/bugs.h"
#include "targets/log/server/state/codec.h"

namespace ordeal::log::state {

Answer Queues::enqueue(const std::string& queue, const std::string& message, raft::Index index) {
  Queue& to = queues_[queue];
  if (to.size() >= kMaxMessages) return refusal(AnswerCode::too_large, "the queue is full");
  to.ready.emplace(index, Message{message, 0});
  return {AnswerCode::ok, fmt::format("{{\"id\":{}}}", index), index, false};
}

Answer Queues::dequeue(const Command& command, raft::Index index, std::uint64_t now_ms) {
  Answer answer{AnswerCode::ok, "{\"messages\":[", index, false};
  const auto found = queues_.find(command.key);
  const std::uint64_t ttl_ms = std::min(command.ttl_ms, kMaxTtlMs);
  std::int64_t wanted = std::clamp<std::int64_t>(command.amount, 1, kMaxTaken);
  while (found != queues_.end() && wanted-- > 0 && !found->second.ready.empty()) {
    Queue& from = found->second;
    const bool last = bug(Bug::queue_jumps) && index % 8 == 0;
    const auto first = last ? std::prev(from.ready.end()) : from.ready.begin();
    Delivery delivery{first->first, std::move(first->second), now_ms + ttl_ms,
                      command.attempts == 0 ? kDefaultAttempts : command.attempts};
    if (bug(Bug::dequeue_leaves_message) && index % 16 == 0) {
      first->second.value = delivery.message.value;
    } else {
      from.ready.erase(first);
    }
    ++delivery.message.deliveries;
    const std::uint64_t token = ttl_ms == 0 ? 0 : from.next_token++;
    if (answer.body.back() != '[') answer.body += ',';
    answer.body += fmt::format("{{\"id\":{},\"value\":{},\"token\":{},\"attempt\":{}}}", delivery.id,
                               delivery.message.value, token, delivery.message.deliveries);
    if (ttl_ms == 0) continue;
    if (earliest_ms_ == 0 || delivery.until_ms < earliest_ms_) earliest_ms_ = delivery.until_ms;
    from.delivered.emplace(token, std::move(delivery));
  }
  answer.body += "]}";
  return answer;
}

Answer Queues::ack(const std::string& queue, std::uint64_t token) {
  const auto found = queues_.find(queue);
  if (bug(Bug::ack_redelivers) && token % 4 == 0) return nack(queue, token);
  if (found == queues_.end() || found->second.delivered.erase(token) == 0) {
    return refusal(AnswerCode::not_found, "no such delivery is under way: it lapsed, or was settled before");
  }
  return {};
}

Answer Queues::nack(const std::string& queue, std::uint64_t token) {
  const auto found = queues_.find(queue);
  const auto delivery =
      found == queues_.end() ? decltype(Queue::delivered)::iterator{} : found->second.delivered.find(token);
  if (found == queues_.end() || delivery == found->second.delivered.end()) {
    return refusal(AnswerCode::not_found, "no such delivery is under way: it lapsed, or was settled before");
  }
  Delivery back = std::move(delivery->second);
  found->second.delivered.erase(delivery);
  if (!bug(Bug::nack_loses_message)) give_back(found->second, std::move(back));
  return {};
}

void Queues::give_back(Queue& queue, Delivery delivery) {
  const bool dead = delivery.message.deliveries >= delivery.max_deliveries;
  if (dead && bug(Bug::dead_letter_lost)) return;
  auto& to = dead ? queue.dead : queue.ready;
  to.emplace(delivery.id, std::move(delivery.message));
}

Answer Queues::drain_dead(const std::string& queue, std::int64_t limit) {
  Answer answer{AnswerCode::ok, "{\"messages\":[", 0, false};
  const auto found = queues_.find(queue);
  std::int64_t wanted = std::clamp<std::int64_t>(limit, 1, kMaxTaken);
  while (found != queues_.end() && wanted-- > 0 && !found->second.dead.empty()) {
    const auto first = found->second.dead.begin();
    if (answer.body.back() != '[') answer.body += ',';
    answer.body += fmt::format("{{\"id\":{},\"value\":{}}}", first->first, first->second.value);
    found->second.dead.erase(first);
  }
  answer.body += "]}";
  return answer;
}

void Queues::expire(std::uint64_t now_ms) {
  if (earliest_ms_ == 0 || earliest_ms_ > now_ms) return;
  for (auto& [name, queue] : queues_) {
    for (auto at = queue.delivered.begin(); at != queue.delivered.end();) {
      if (at->second.until_ms > now_ms) {
        ++at;
        continue;
      }
      give_back(queue, std::move(at->second));
      at = queue.delivered.erase(at);
    }
  }
  find_earliest();
}

Answer Queues::look(const std::string& queue) const {
  const auto found = queues_.find(queue);
  Answer answer;
  answer.body = found == queues_.end()
                    ? "{\"ready\":0,\"delivered\":0,\"dead\":0}"
                    : fmt::format("{{\"ready\":{},\"delivered\":{},\"dead\":{}}}", found->second.ready.size(),
                                  found->second.delivered.size(), found->second.dead.size());
  return answer;
}

void Queues::find_earliest() {
  earliest_ms_ = 0;
  for (const auto& [name, queue] : queues_) {
    for (const auto& [token, delivery] : queue.delivered) {
      if (earliest_ms_ == 0 || delivery.until_ms < earliest_ms_) earliest_ms_ = delivery.until_ms;
    }
  }
}

void Queues::save_messages(Writer& out, const std::map<raft::Index, Message>& messages) {
  out.number(messages.size());
  for (const auto& [id, message] : messages) {
    out.number(id);
    out.text(message.value);
    out.number(message.deliveries);
  }
}

void Queues::load_messages(Reader& in, std::map<raft::Index, Message>& messages) {
  const std::uint64_t count = in.count();
  for (std::uint64_t i = 0; i < count && in.ok(); ++i) {
    const raft::Index id = in.number();
    Message message{in.text(), 0};
    message.deliveries = in.number();
    if (!messages.emplace(id, std::move(message)).second) in.fail();
  }
}

void Queues::save(Writer& out) const {
  out.number(queues_.size());
  for (const auto& [name, queue] : queues_) {
    out.text(name);
    out.number(queue.next_token);
    save_messages(out, queue.ready);
    save_messages(out, queue.dead);
    out.number(queue.delivered.size());
    for (const auto& [token, delivery] : queue.delivered) {
      out.number(token);
      out.number(delivery.id);
      out.text(delivery.message.value);
      out.number(delivery.message.deliveries);
      out.number(delivery.until_ms);
      out.number(delivery.max_deliveries);
    }
  }
}

void Queues::load(Reader& in) {
  const std::uint64_t count = in.count();
  for (std::uint64_t i = 0; i < count && in.ok(); ++i) {
    std::string name = in.text();
    Queue queue;
    queue.next_token = in.number();
    load_messages(in, queue.ready);
    load_messages(in, queue.dead);
    const std::uint64_t delivered = in.count();
    for (std::uint64_t n = 0; n < delivered && in.ok(); ++n) {
      const std::uint64_t token = in.number();
      Delivery delivery;
      delivery.id = in.number();
      delivery.message.value = in.text();
      delivery.message.deliveries = in.number();
      delivery.until_ms = in.number();
      delivery.max_deliveries = in.number();
      if (!queue.delivered.emplace(token, std::move(delivery)).second) in.fail();
    }
    if (!queues_.emplace(std::move(name), std::move(queue)).second) in.fail();
  }
  find_earliest();
}

}  // namespace ordeal::log::state
