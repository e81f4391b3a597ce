#include "targets/memory/services.h"

namespace ordeal::memory {

std::optional<Completion> Services::apply(std::string_view data_type, const Operation& operation, std::uint64_t /*client*/,
                                          Rng& rng) {
  const std::lock_guard lock(mutex_);
  if (data_type == "g2" && operation.f == "insert") return insert(operation, rng);
  return std::nullopt;
}

Completion Services::insert(const Operation& operation, Rng& rng) {
  if (!operation.key) return Completion::failed("malformed", "insert expects a key");
  if (rows_.contains(*operation.key) && !faults_.strikes(Bug::write_skew, rng)) {
    return Completion::failed("exists", "the key has a row");
  }
  if (!faults_.strikes(Bug::lost_write, rng)) rows_.insert(*operation.key);
  return Completion::ok();
}

}  // namespace ordeal::memory
