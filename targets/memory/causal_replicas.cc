#include "targets/memory/causal_replicas.h"

#include <algorithm>
#include <utility>

#include "harness/interfaces/bad_operation.h"

namespace ordeal::memory {

Completion CausalReplicas::apply(const std::string& key, const Operation& operation, std::uint64_t client, Rng& rng) {
  const std::lock_guard lock(mutex_);
  for (Replica& one : replicas_) deliver(one);
  const std::size_t at = client % kReplicas;
  const Cell& cell = replicas_[at].cells[key];
  if (operation.f == "read") return Completion::ok(faults_.strikes(Bug::stale_read, rng) ? cell.previous : cell.value);
  if (operation.f == "write") {
    write(at, key, operation.value, rng);
    return Completion::ok();
  }
  if (operation.f != "cas")
    return Completion::failed("unsupported", "the memory target has no operation " + operation.f + " on a register");
  if (!operation.value.is_list() || operation.value.items().size() != 2) return bad_operation(operation, "[old, new]");
  if (!(cell.value == operation.value.items()[0]))
    return Completion::failed("conflict", "another value was found: " + cell.value.to_json());
  write(at, key, operation.value.items()[1], rng);
  return Completion::ok();
}

void CausalReplicas::write(std::size_t at, const std::string& key, const Value& value, Rng& rng) {
  if (faults_.strikes(Bug::lost_write, rng)) return;
  Replica& here = replicas_[at];
  const auto update = std::make_shared<const Update>(Update{.key = key,
                                                            .value = value,
                                                            .stamp = {here.lamport + 1, at},
                                                            .before = here.applied,
                                                            .careless = faults_.strikes(Bug::reorder, rng)});
  apply(here, *update);
  for (std::size_t other = 0; other < kReplicas; ++other) {
    const Moment way(static_cast<Moment::rep>(rng.unit() * static_cast<double>(lag_.count())));
    if (other != at) replicas_[other].coming.push_back({update, now_() + way});
  }
}

void CausalReplicas::apply(Replica& replica, const Update& update) {
  const auto [time, origin] = update.stamp;
  replica.lamport = std::max(replica.lamport, time);
  replica.applied[origin] = std::max(replica.applied[origin], update.before[origin] + 1);
  Cell& cell = replica.cells[update.key];
  if (update.stamp < cell.stamp && !update.careless) return;
  cell.previous = std::exchange(cell.value, update.value);
  cell.stamp = std::max(cell.stamp, update.stamp);
}

void CausalReplicas::deliver(Replica& replica) {
  const Moment now = now_();
  const auto ready = [&](const OnTheWay& one) {
    if (one.arrives > now) return false;
    if (one.update->careless) return true;
    for (std::size_t r = 0; r < kReplicas; ++r) {
      if (replica.applied[r] < one.update->before[r]) return false;
    }
    return true;
  };
  for (auto one = replica.coming.begin(); one != replica.coming.end();) {
    if (!ready(*one)) {
      ++one;
      continue;
    }
    const std::shared_ptr<const Update> update = std::move(one->update);
    replica.coming.erase(one);
    apply(replica, *update);
    one = replica.coming.begin();  // others may have waited for it
  }
}

}  // namespace ordeal::memory
