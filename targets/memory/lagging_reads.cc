#include "targets/memory/lagging_reads.h"

#include <algorithm>
#include <iterator>
#include <vector>

#include "base/names.h"

namespace ordeal::memory {

Replication replication_named(std::string_view name) {
  if (name == "none") return Replication::none;
  if (name == "sequential") return Replication::sequential;
  if (name == "causal") return Replication::causal;
  ORDEAL_CHECK(name == "eventual", "unknown replication of the memory target");
  return Replication::eventual;
}

Result<void> check_replication(const std::string& mode, const std::string& data_type) {
  static const std::vector<std::string> all = {"register", "set", "counter", "log"}, registers = {"register"};
  const std::vector<std::string>& known = mode == "causal" ? registers : all;
  if (mode == "none" || std::find(known.begin(), known.end(), data_type) != known.end()) return {};
  return fail(ErrorCode::usage, "memory.replication: " + mode + " is not for workloads on the data type " + data_type +
                                    "; it is for " + joined(known));
}

std::uint64_t LaggingReads::everywhere() {
  const auto horizon = now_() - lag_;
  while (!times_.empty() && times_.front() <= horizon) {
    times_.pop_front();
    ++everywhere_;
  }
  return everywhere_;
}

void LaggingReads::changed(const std::string& key, Value state, std::uint64_t client) {
  const std::lock_guard lock(mutex_);
  times_.push_back(now_());
  auto& versions = keys_[key];
  versions.push_back({++last_, std::move(state)});
  // Nobody sees what was replaced everywhere.
  const std::uint64_t known = everywhere();
  while (versions.size() > 1 && versions[1].number <= known) versions.pop_front();
  if (mode_ == Replication::sequential) stands_[client] = last_;
}

Value LaggingReads::seen(const std::string& key, const Value& initially, std::uint64_t client, Rng& rng) {
  const std::lock_guard lock(mutex_);
  std::uint64_t from = everywhere();
  if (mode_ == Replication::sequential) from = std::max(from, stands_[client]);
  const std::uint64_t at = from + rng.below(last_ - from + 1);
  if (mode_ == Replication::sequential) stands_[client] = at;
  const auto& versions = keys_[key];
  const auto after = std::upper_bound(versions.begin(), versions.end(), at,
                                      [](std::uint64_t number, const Version& one) { return number < one.number; });
  return after == versions.begin() ? initially : std::prev(after)->state;
}

}  // namespace ordeal::memory
