// Which bugs the memory target has on which data types. A bug that strikes nothing would be a run that is green though
// it was asked to be wrong.

#include <algorithm>

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
      {"monotonic", {"stale-read"}},
      {"sequential", {"lost-write"}},
      {"election", {"stale-read", "duplicate", "write-skew"}},
      {"idempotency", {"lost-write", "duplicate"}},
      {"rate-limit", {"lost-write"}},
      {"saga", {"stale-read", "lost-write", "duplicate", "write-skew"}},
      {"kafka", {"stale-read", "lost-write", "duplicate", "reorder"}},
  };
  return rows;
}

}  // namespace

Result<void> check_bug(const std::string& bug, const std::string& data_type) {
  const auto& rows = table();
  const auto row = std::find_if(rows.begin(), rows.end(), [&](const Row& one) { return one.data_type == data_type; });
  if (bug == "none" || row == rows.end()) return {};
  if (std::find(row->bugs.begin(), row->bugs.end(), bug) != row->bugs.end()) return {};
  return fail(ErrorCode::usage, "memory.bug: " + bug + " does not apply to workloads on the data type " + data_type +
                                    ", which can have " + joined(row->bugs));
}

}  // namespace ordeal::memory
