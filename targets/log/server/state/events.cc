#include "targets/log/server/state/events.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/value.h"
#include "targets/log/server/state/codec.h"

namespace ordeal::log::state {

void Events::add(Event event) {
  bytes_ += bytes(event);
  events_.push_back(std::move(event));
  while (events_.size() > kMaxEvents || (bytes_ > kMaxBytes && !events_.empty())) {
    dropped_ = events_.front().index;
    bytes_ -= bytes(events_.front());
    events_.pop_front();
  }
}

Answer Events::read(raft::Index from, const std::string& prefix, std::size_t limit, raft::Index applied) const {
  if (from < first()) {
    return {AnswerCode::gone,
            fmt::format("{{\"message\":\"events before this index are not kept; read the state and watch from "
                        "there\",\"first\":{}}}",
                        first()),
            applied, false};
  }
  Answer answer{AnswerCode::ok, "{\"events\":[", applied, false};
  std::size_t given = 0;
  raft::Index last = 0;
  auto at = std::lower_bound(events_.begin(), events_.end(), from,
                             [](const Event& event, raft::Index index) { return event.index < index; });
  for (; at != events_.end(); ++at) {
    if (given >= limit && at->index != last) break;
    last = at->index;
    if (!at->key.starts_with(prefix)) continue;
    if (given++ > 0) answer.body += ',';
    answer.body += fmt::format("{{\"index\":{},\"type\":\"{}\",\"key\":", at->index, at->type);
    append_json_string(answer.body, at->key);
    answer.body += fmt::format(",\"value\":{}}}", at->value);
  }
  const raft::Index next = at == events_.end() ? std::max(from, applied + 1) : last + 1;
  answer.body += fmt::format("],\"next\":{}}}", next);
  return answer;
}

void Events::save(Writer& out) const {
  out.number(dropped_);
  out.number(events_.size());
  for (const Event& event : events_) {
    out.number(event.index);
    out.text(event.type);
    out.text(event.key);
    out.text(event.value);
  }
}

void Events::load(Reader& in) {
  dropped_ = in.number();
  const std::uint64_t count = in.count();
  raft::Index before = dropped_;
  for (std::uint64_t i = 0; i < count && in.ok(); ++i) {
    Event event;
    event.index = in.number();
    event.type = in.text();
    event.key = in.text();
    event.value = in.text();
    if (event.index < before) return in.fail();
    before = event.index;
    bytes_ += bytes(event);
    events_.push_back(std::move(event));
  }
}

}  // namespace ordeal::log::state
