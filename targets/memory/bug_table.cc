// Which bugs the memory target has on which data types. A bug that strikes nothing would be a run that is green though
// it was asked to be wrong.

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/names.h"
#include "targets/memory/bugs.h"

namespace ordeal::memory {
namespace {

struct Row {
  const char* data_type;
  std::vector<std::string> bugs;
};

const std::vector<Row>& table() {
  static const std::vector<Row> rows = {
      {"register", {"stale-read", "lost-write", "lost-update", "duplicate"}},
      {"causal register", {"stale-read", "lost-write", "reorder"}},  // with memory.replication=causal
      {"set", {"stale-read", "lost-write", "lost-update", "duplicate"}},
      {"counter", {"stale-read", "lost-write", "lost-update", "duplicate"}},
      {"log", {"stale-read", "lost-write", "lost-update", "duplicate"}},
      {"queue", {"stale-read", "lost-write", "duplicate", "reorder"}},
      {"lock", {"stale-read", "lost-write", "duplicate", "reorder"}},
      {"list-append", {"stale-read", "lost-write", "lost-update", "duplicate", "write-skew"}},
      {"rw-register", {"stale-read", "lost-write", "lost-update", "duplicate", "write-skew"}},
      {"unique-ids", {"stale-read", "duplicate"}},
      {"bank", {"stale-read", "lost-write", "lost-update", "duplicate"}},
      {"g2", {"lost-write", "write-skew"}},
      {"monotonic", {"stale-read", "lost-write", "duplicate"}},
      {"sequential", {"stale-read", "lost-write"}},
      {"election", {"stale-read", "duplicate", "write-skew"}},
      {"idempotency", {"stale-read", "lost-write", "duplicate"}},
      {"rate-limit", {"stale-read", "lost-write"}},
      {"dead-letter", {"stale-read", "lost-write", "duplicate", "write-skew"}},
      {"outbox", {"stale-read", "lost-write", "duplicate", "write-skew", "reorder"}},
      {"accounts", {"stale-read", "lost-write", "duplicate", "write-skew"}},
      {"idempotency-keys", {"stale-read", "lost-write", "duplicate", "write-skew"}},
      {"token-bucket", {"stale-read", "lost-write", "duplicate"}},
      {"semaphore", {"lost-write", "duplicate", "write-skew"}},
      {"saga", {"stale-read", "lost-write", "duplicate", "write-skew"}},
      {"event-log", {"stale-read", "lost-write", "duplicate", "reorder"}},
      {"ledger", {"stale-read", "lost-write", "duplicate", "write-skew", "reorder"}},
      {"lww-map", {"stale-read", "lost-write", "write-skew", "reorder"}},
      {"or-set", {"stale-read", "lost-write", "duplicate", "write-skew"}},
      {"ordered-ids", {"stale-read", "duplicate"}},
      {"versioned", {"stale-read", "lost-write", "duplicate", "write-skew"}},
      {"kafka", {"stale-read", "lost-write", "duplicate", "reorder"}},
      {"transparency-log", {"stale-read", "lost-write", "duplicate", "reorder", "forged-head", "fork"}},
  };
  return rows;
}

}  // namespace

Bug bug_named(std::string_view name) {
  static constexpr std::pair<std::string_view, Bug> kNames[] = {
      {"none", Bug::none},
      {"stale-read", Bug::stale_read},
      {"lost-write", Bug::lost_write},
      {"lost-update", Bug::lost_update},
      {"duplicate", Bug::duplicate},
      {"write-skew", Bug::write_skew},
      {"reorder", Bug::reorder},
      {"forged-head", Bug::forged_head},
      {"fork", Bug::fork},
  };
  const auto* found =
      std::find_if(std::begin(kNames), std::end(kNames), [&](const auto& one) { return one.first == name; });
  ORDEAL_CHECK(found != std::end(kNames), "unknown bug of the memory target");
  return found->second;
}

const std::vector<std::string>& bugs_of(std::string_view data_type) {
  static const std::vector<std::string> none;
  const auto& rows = table();
  const auto row = std::find_if(rows.begin(), rows.end(), [&](const Row& one) { return one.data_type == data_type; });
  return row == rows.end() ? none : row->bugs;
}

Result<void> check_bug(const std::string& bug, const std::string& data_type) {
  const std::vector<std::string>& known = bugs_of(data_type);
  if (bug == "none" || known.empty() || std::find(known.begin(), known.end(), bug) != known.end()) return {};
  return fail(ErrorCode::usage, "memory.bug: " + bug + " does not apply to workloads on the data type " + data_type +
                                    ", which can have " + joined(known));
}

}  // namespace ordeal::memory
