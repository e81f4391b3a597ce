#include "targets/log/server/state/sessions.h"

#include "targets/log/server/state/codec.h"

namespace ordeal::log::state {

std::optional<Answer> Sessions::find(const std::string& key, std::uint64_t request) const {
  const auto found = table_.find(key);
  if (found == table_.end()) return std::nullopt;
  if (found->second.request != request) {
    return refusal(AnswerCode::key_reused, "the idempotency key was used for another request");
  }
  Answer answer = found->second.answer;
  answer.repeated = true;
  return answer;
}

void Sessions::remember(const std::string& key, std::uint64_t request, const Answer& answer) {
  bytes_ += bytes(key, answer);
  table_.emplace(key, Known{request, answer});
  order_.push_back(key);
  while (table_.size() > kMaxKeys || (bytes_ > kMaxBytes && table_.size() > 1)) drop_oldest();
}

void Sessions::forget(raft::Index now) {
  while (!order_.empty()) {
    const raft::Index oldest = table_.find(order_.front())->second.answer.index;
    if (oldest + kHorizon > now) return;
    drop_oldest();
  }
}

void Sessions::drop_oldest() {
  const auto found = table_.find(order_.front());
  bytes_ -= bytes(found->first, found->second.answer);
  table_.erase(found);
  order_.pop_front();
}

void Sessions::save(Writer& out) const {
  out.number(order_.size());
  for (const std::string& key : order_) {
    const Known& known = table_.find(key)->second;
    out.text(key);
    out.number(known.request);
    out.text(encode(known.answer));
  }
}

void Sessions::load(Reader& in) {
  const std::uint64_t count = in.count();
  raft::Index before = 0;
  for (std::uint64_t i = 0; i < count && in.ok(); ++i) {
    std::string key = in.text();
    const std::uint64_t request = in.number();
    auto answer = decode_answer(in.text());
    if (!in.ok() || !answer || table_.contains(key) || answer->index <= before) return in.fail();
    before = answer->index;
    bytes_ += bytes(key, *answer);
    order_.push_back(key);
    table_.emplace(std::move(key), Known{request, *std::move(answer)});
  }
}

std::uint64_t request_digest(std::string_view encoded_command) {
  constexpr std::size_t kWithoutTime = 9;  // encode(Command): version and time come first
  std::uint64_t hash = 14695981039346656037ULL;
  for (const char byte : encoded_command.substr(std::min(kWithoutTime, encoded_command.size()))) {
    hash = (hash ^ static_cast<std::uint8_t>(byte)) * 1099511628211ULL;
  }
  return hash;
}

}  // namespace ordeal::log::state
