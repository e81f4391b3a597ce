#pragma once
// PostgresBeside: statements that run beside a workload, as an administrator's or a cron job's: what rewrites tables
// and indexes while transactions look at them (VACUUM FULL, REINDEX CONCURRENTLY), and what reads everything (REFRESH
// MATERIALIZED VIEW). A server that does not answer is asked again at the next turn.
// Thread-safety: made and destroyed by one thread; `log` may be called from another.

#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "targets/sql/session.h"

namespace ordeal {

class PostgresBeside {
 public:
  struct Settings {
    SqlSession::Settings session;
    std::vector<std::string> kinds;   // of kinds()
    std::vector<std::string> tables;  // each kind is done to each of them in turn
    double every_s = 1;               // from the end of one statement to the beginning of the next
  };
  [[nodiscard]] static std::vector<std::string> kinds();
  // The statements of a kind on a table; the last is the one that is meant. Requires: a name of kinds().
  [[nodiscard]] static std::vector<std::string> statements(std::string_view kind, std::string_view table);

  // Begins. The first statement waits for `every_s`, too.
  explicit PostgresBeside(Settings settings);
  // Ends within some seconds: a statement that is under way is given up.
  ~PostgresBeside() = default;
  PostgresBeside(const PostgresBeside&) = delete;
  PostgresBeside& operator=(const PostgresBeside&) = delete;

  // How often a statement was carried out, and how often it failed; for people: "vacuum-full 12 times".
  [[nodiscard]] std::string summary() const;

 private:
  struct Count {
    std::string kind;
    int done = 0;
    int failed = 0;
    std::string problem = {};  // the last
  };
  void run(const std::stop_token& stop);

  const Settings settings_;
  mutable std::mutex mutex_;  // guards counts_
  std::vector<Count> counts_;
  std::jthread thread_;
};

}  // namespace ordeal
