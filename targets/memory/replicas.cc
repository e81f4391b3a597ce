#include "targets/memory/replicas.h"

#include <algorithm>
#include <optional>

#include "harness/interfaces/bad_operation.h"

namespace ordeal::memory {
namespace {

constexpr std::size_t kReplicas = 3;
constexpr std::chrono::milliseconds kOnTheWay(5);

}  // namespace

bool Replicas::Done::arrived(std::size_t there, Moment now) const { return replica == there || at + kOnTheWay <= now; }

Completion Replicas::set(const Operation& operation, std::uint64_t client, Rng& rng) {
  const std::lock_guard lock(mutex_);
  const Done here{client % kReplicas, now_()};
  const Value key = operation.key.value_or(Value());
  Tags& tags = sets_[key];
  if (operation.f == "read") return read_set(tags, here, rng);
  if (operation.f != "add" && operation.f != "remove")
    return Completion::failed("unsupported", "the memory target has no operation " + operation.f + " on an or-set");
  if (faults_.strikes(Bug::lost_write, rng)) return Completion::ok();
  std::vector<Tag>& of_element = tags[operation.value];
  if (operation.f == "add") {
    Tag tag{here, {}};
    const auto greedy = greedy_.find({key, operation.value});
    if (greedy != greedy_.end() && !greedy->second.arrived(here.replica, here.at))
      tag.removals.push_back(greedy->second);
    of_element.push_back(std::move(tag));
    return Completion::ok();
  }
  for (Tag& tag : of_element) {
    if (tag.arrived(here.replica, here.at)) tag.removals.push_back(here);
  }
  if (faults_.strikes(Bug::write_skew, rng)) greedy_[{key, operation.value}] = here;
  return Completion::ok();
}

Completion Replicas::read_set(Tags& tags, Done here, Rng& rng) {
  const bool only_own = faults_.strikes(Bug::stale_read, rng);
  Value::List seen;
  for (auto element = tags.begin(); element != tags.end();) {
    std::vector<Tag>& all = element->second;
    // What is removed everywhere is forgotten.
    std::erase_if(all, [&](const Tag& tag) {
      return std::any_of(tag.removals.begin(), tag.removals.end(),
                         [&](const Done& removal) { return removal.arrived(kReplicas, here.at); });
    });
    if (all.empty()) {
      element = tags.erase(element);
      continue;
    }
    const bool shown = std::any_of(all.begin(), all.end(), [&](const Tag& tag) {
      if (only_own ? tag.replica != here.replica : !tag.arrived(here.replica, here.at)) return false;
      return std::none_of(tag.removals.begin(), tag.removals.end(),
                          [&](const Done& removal) { return removal.arrived(here.replica, here.at); });
    });
    if (shown) seen.push_back(element->first);
    ++element;
  }
  if (!seen.empty() && faults_.strikes(Bug::duplicate, rng)) seen.push_back(seen.front());
  return Completion::ok(Value(std::move(seen)));
}

Completion Replicas::map(const Operation& operation, std::uint64_t client, Rng& rng) {
  const std::lock_guard lock(mutex_);
  const Done here{client % kReplicas, now_()};
  std::vector<Write>& writes = maps_[operation.key.value_or(Value())];
  if (operation.f == "read") return Completion::ok(winner(writes, here, faults_.strikes(Bug::stale_read, rng)));
  Write one{here, 0, {}, false};
  if (operation.f == "remove") {
    if (!operation.value.is_integer()) return bad_operation(operation, "a timestamp");
    one.timestamp = operation.value.integer();
  } else if (operation.f == "put") {
    if (!operation.value.is_list() || operation.value.items().size() != 2 || !operation.value.items()[0].is_integer())
      return bad_operation(operation, "[timestamp, value]");
    one.timestamp = operation.value.items()[0].integer();
    one.value = operation.value.items()[1];
  } else {
    return Completion::failed("unsupported", "the memory target has no operation " + operation.f + " on an lww-map");
  }
  return write(writes, std::move(one), rng);
}

Completion Replicas::write(std::vector<Write>& writes, Write one, Rng& rng) const {
  if (faults_.strikes(Bug::lost_write, rng)) return Completion::ok();
  if (one.value.is_nil() && faults_.strikes(Bug::write_skew, rng)) {
    std::erase_if(writes, [&](const Write& other) {
      return other.timestamp <= one.timestamp && other.arrived(one.replica, one.at);
    });
    return Completion::ok();
  }
  one.by_arrival = faults_.strikes(Bug::reorder, rng);
  const Moment now = one.at;
  writes.push_back(std::move(one));
  if (faults_.bug == Bug::reorder) return Completion::ok();
  // Of those that have arrived everywhere one will do.
  const auto settled =
      std::partition(writes.begin(), writes.end(), [&](const Write& w) { return !w.arrived(kReplicas, now); });
  const auto best = std::max_element(settled, writes.end(), [](const Write& a, const Write& b) {
    return a.timestamp != b.timestamp ? a.timestamp < b.timestamp : a.value < b.value;
  });
  if (best == writes.end()) return Completion::ok();
  std::iter_swap(settled, best);
  writes.erase(settled + 1, writes.end());
  return Completion::ok();
}

Value Replicas::winner(const std::vector<Write>& writes, Done here, bool only_own) {
  std::vector<const Write*> arrived;
  for (const Write& one : writes) {
    if (only_own ? one.replica == here.replica : one.arrived(here.replica, here.at)) arrived.push_back(&one);
  }
  const auto when = [&](const Write* one) { return one->replica == here.replica ? one->at : one->at + kOnTheWay; };
  std::stable_sort(arrived.begin(), arrived.end(), [&](auto* a, auto* b) { return when(a) < when(b); });
  const Write* best = nullptr;
  for (const Write* one : arrived) {
    const bool greater = best != nullptr && (one->timestamp != best->timestamp ? one->timestamp > best->timestamp
                                                                               : best->value < one->value);
    if (best == nullptr || greater || one->by_arrival) best = one;
  }
  return best == nullptr ? Value() : best->value;
}

}  // namespace ordeal::memory
