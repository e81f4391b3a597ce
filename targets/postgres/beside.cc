#include "targets/postgres/beside.h"

#include <fmt/format.h>

#include <condition_variable>

#include "base/error.h"

namespace ordeal {
namespace {

// A statement that waits for a lock longer than this is given up, so that it does not stall the workload behind it.
constexpr const char* kLockTimeout = "SET lock_timeout = '500ms'";
constexpr auto kEach = std::chrono::seconds(5);

}  // namespace

std::vector<std::string> PostgresBeside::kinds() { return {"vacuum-full", "reindex-concurrently", "refresh"}; }

std::vector<std::string> PostgresBeside::statements(std::string_view kind, std::string_view table) {
  if (kind == "vacuum-full") return {kLockTimeout, fmt::format("VACUUM FULL {}", table)};
  if (kind == "reindex-concurrently") return {kLockTimeout, fmt::format("REINDEX TABLE CONCURRENTLY {}", table)};
  ORDEAL_CHECK(kind == "refresh", "no statement of that kind: " + std::string(kind));
  return {kLockTimeout,
          fmt::format("CREATE MATERIALIZED VIEW IF NOT EXISTS {0}_view AS SELECT count(*) AS n FROM {0}", table),
          fmt::format("REFRESH MATERIALIZED VIEW {}_view", table)};
}

PostgresBeside::PostgresBeside(Settings settings)
    : settings_(std::move(settings)), thread_([this](const std::stop_token& stop) { run(stop); }) {}

void PostgresBeside::run(const std::stop_token& stop) {
  {
    const std::lock_guard lock(mutex_);
    for (const auto& kind : settings_.kinds) counts_.push_back({kind});
  }
  SqlSession session(settings_.session);
  std::mutex mutex;
  std::condition_variable_any stopped;
  for (std::size_t turn = 0;; ++turn) {
    {
      std::unique_lock lock(mutex);
      if (stopped.wait_for(lock, stop, from_seconds(settings_.every_s), [] { return false; }) || stop.stop_requested())
        return;
    }
    const std::size_t which = turn % settings_.kinds.size();
    const auto& table = settings_.tables[turn / settings_.kinds.size() % settings_.tables.size()];
    std::optional<Completion> problem;
    // Each by itself: none of them may stand in a transaction, and a pipeline is one.
    for (const auto& text : statements(settings_.kinds[which], table)) {
      std::vector<SqlRows> ignored;
      if (!problem) problem = session.direct({{text}}, ignored, Deadline::after(kEach));
    }
    const std::lock_guard lock(mutex_);
    ++(problem ? counts_[which].failed : counts_[which].done);
    if (problem) counts_[which].problem = problem->error->message;
  }
}

std::string PostgresBeside::summary() const {
  const std::lock_guard lock(mutex_);
  std::string out;
  for (const Count& one : counts_) {
    out += fmt::format("{}{} {} times", out.empty() ? "" : ", ", one.kind, one.done);
    if (one.failed > 0) out += fmt::format(" and failed {} times (the last: {})", one.failed, one.problem);
  }
  return out;
}

}  // namespace ordeal
