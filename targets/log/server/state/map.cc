#include "targets/log/server/state/map.h"

#include <fmt/format.h>

#include <charconv>
#include <iterator>
#include <limits>

#include "base/value.h"
#include "targets/log/server/bugs.h"
#include "targets/log/server/state/codec.h"

namespace ordeal::log::state {
namespace {

std::optional<std::int64_t> whole_number(const Item* item) {
  if (item == nullptr) return 0;
  if (item->elements) return std::nullopt;
  const char* const end = item->value.data() + item->value.size();
  std::int64_t number = 0;
  const auto read = std::from_chars(item->value.data(), end, number);
  if (read.ec != std::errc() || read.ptr != end) return std::nullopt;
  return number;
}

// A text of JSON, or of elements; the first change of a list that was written as a whole takes it apart.
std::optional<std::vector<std::string>> elements_of(const Item* item) {
  if (item == nullptr || (!item->elements && item->value == "null")) return std::vector<std::string>();
  if (item->elements) return item->elements;
  const auto value = Value::from_json(item->value);
  if (!value || !value->is_list()) return std::nullopt;
  std::vector<std::string> out;
  for (const Value& element : value->items()) out.push_back(element.to_json());
  return out;
}

Answer refused(AnswerCode code, const Step& step, const Item* item, std::string_view why) {
  Answer answer = refusal(code, why);
  answer.body.pop_back();
  answer.body += ",\"key\":";
  append_json_string(answer.body, step.key);
  answer.body += fmt::format(",\"version\":{}}}", item == nullptr ? 0 : item->version);
  return answer;
}

}  // namespace

std::string Item::json() const {
  if (!elements) return value;
  std::string out = "[";
  for (const std::string& element : *elements) {
    if (out.size() > 1) out += ',';
    out += element;
  }
  return out + "]";
}

const Item* KeyValueMap::current(const Overlay& overlay, const std::string& key) const {
  if (const auto changed = overlay.find(key); changed != overlay.end()) {
    return changed->second ? &*changed->second : nullptr;
  }
  const auto found = items_.find(key);
  return found == items_.end() ? nullptr : &found->second;
}

std::optional<Answer> KeyValueMap::check(const Step& step, const Item* item, const HoldsLock& holds) const {
  if (step.kind == Step::Kind::check_version && (item == nullptr ? 0 : item->version) != step.version) {
    return refused(AnswerCode::conflict, step, item, "the key has another version");
  }
  if (step.kind == Step::Kind::check_value && (item == nullptr ? "null" : item->json()) != step.value) {
    return refused(AnswerCode::conflict, step, item, "the key has another value");
  }
  if (step.kind == Step::Kind::check_lock && !holds(step.key, step.version)) {
    return refusal(AnswerCode::not_held, "the lock is not held with this fencing token");
  }
  return std::nullopt;
}

std::optional<Answer> KeyValueMap::change(const Step& step, raft::Index index, Overlay& overlay) const {
  const Item* const item = current(overlay, step.key);
  Item next{index, step.value, std::nullopt};
  if (step.kind == Step::Kind::append) {
    auto elements = elements_of(item);
    if (!elements) return refused(AnswerCode::wrong_type, step, item, "append: the value is no list");
    if (elements->size() >= kMaxElements) return refused(AnswerCode::too_large, step, item, "the list is full");
    elements->push_back(step.value);
    next.value.clear();
    next.elements = std::move(elements);
  } else if (step.kind == Step::Kind::add) {
    const auto number = whole_number(item);
    if (!number) return refused(AnswerCode::wrong_type, step, item, "add: the value is no whole number of 64 bits");
    std::int64_t sum = 0;
    if (__builtin_add_overflow(*number, step.amount, &sum)) {
      return refused(AnswerCode::wrong_type, step, item, "add: the sum does not fit 64 bits");
    }
    next.value = std::to_string(sum);
  }
  if (bug(Bug::version_counts_values) && item != nullptr && item->json() == next.json()) next.version = item->version;
  if (step.kind == Step::Kind::remove) {
    overlay[step.key] = std::nullopt;
  } else {
    overlay[step.key] = std::move(next);
  }
  return std::nullopt;
}

Answer KeyValueMap::run(const std::vector<Step>& steps, raft::Index index, const HoldsLock& holds,
                        Overlay& overlay) const {
  std::string results;
  for (const Step& step : steps) {
    if (!results.empty()) results += ',';
    const bool checks = step.kind >= Step::Kind::check_version;
    if (checks) {
      if (auto refused = check(step, current(overlay, step.key), holds)) return *std::move(refused);
      results += "null";
      continue;
    }
    if (step.kind != Step::Kind::read) {
      if (auto refused = change(step, index, overlay)) return *std::move(refused);
    }
    const Item* const item = current(overlay, step.key);
    if (step.kind == Step::Kind::read || step.kind == Step::Kind::add) {
      results += fmt::format("{{\"value\":{},\"version\":{}}}", item == nullptr ? "null" : item->json(),
                             item == nullptr ? 0 : item->version);
    } else {
      results += fmt::format("{{\"version\":{}}}", item == nullptr ? 0 : item->version);
    }
  }
  return {AnswerCode::ok, fmt::format("{{\"results\":[{}]}}", results), index, false};
}

Answer KeyValueMap::transact(const std::vector<Step>& steps, raft::Index index, const HoldsLock& holds,
                             std::vector<Change>& changes) {
  Overlay overlay;
  Answer answer = run(steps, index, holds, overlay);
  if (answer.code != AnswerCode::ok) return answer;
  if (bug(Bug::transaction_loses_write) && index % 16 == 0 && !overlay.empty()) overlay.erase(std::prev(overlay.end()));
  for (auto& [key, item] : overlay) {
    if (item) {
      changes.push_back({key, &(items_[key] = *std::move(item))});
    } else if (items_.erase(key) > 0) {
      changes.push_back({key, nullptr});
    }
  }
  return answer;
}

Answer KeyValueMap::look(const std::vector<Step>& steps, const HoldsLock& holds) const {
  Overlay untouched;
  return run(steps, 0, holds, untouched);
}

Answer KeyValueMap::range(const std::string& prefix, const std::string& after, std::size_t limit) const {
  Answer answer;
  answer.body = "{\"items\":[";
  std::size_t given = 0;
  auto at = after < prefix || after.empty() ? items_.lower_bound(prefix) : items_.upper_bound(after);
  for (; at != items_.end() && at->first.starts_with(prefix) && given < limit; ++at, ++given) {
    if (given > 0) answer.body += ',';
    answer.body += "{\"key\":";
    append_json_string(answer.body, at->first);
    answer.body += fmt::format(",\"value\":{},\"version\":{}}}", at->second.json(), at->second.version);
  }
  const bool more = at != items_.end() && at->first.starts_with(prefix);
  answer.body += fmt::format("],\"more\":{}}}", more);
  return answer;
}

void KeyValueMap::save(Writer& out) const {
  out.number(items_.size());
  for (const auto& [key, item] : items_) {
    out.text(key);
    out.number(item.version);
    out.byte(item.elements ? 1 : 0);
    if (!item.elements) {
      out.text(item.value);
      continue;
    }
    out.number(item.elements->size());
    for (const std::string& element : *item.elements) out.text(element);
  }
}

void KeyValueMap::load(Reader& in) {
  const std::uint64_t count = in.count();
  for (std::uint64_t i = 0; i < count && in.ok(); ++i) {
    std::string key = in.text();
    Item item;
    item.version = in.number();
    const std::uint8_t list = in.byte();
    if (list > 1) in.fail();
    if (list == 0) item.value = in.text();
    if (list == 1) {
      item.elements.emplace();
      const std::uint64_t elements = in.count();
      for (std::uint64_t n = 0; n < elements && in.ok(); ++n) item.elements->push_back(in.text());
    }
    if (!items_.emplace_hint(items_.end(), std::move(key), std::move(item))->second.version) in.fail();
  }
  if (items_.size() != count) in.fail();  // a key twice
}

}  // namespace ordeal::log::state
