#pragma once
// RunLog: ordeal.log, what the controller did during a run, for people. One line a message:
// `2026-11-21T07:00:48.123Z warn n3: starting etcd: connection refused`.
//
// Losing a line of the log never stops a run. Thread-safety: all methods from any thread.

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"

namespace ordeal {

class RunLog {
 public:
  enum class Level { debug, info, warn, error };
  // Also called with each line; the CLI shows them on a terminal. It must not call back into the log.
  using Echo = std::function<void(Level, std::string_view message)>;

  // Writes nowhere but to `echo`.
  explicit RunLog(Echo echo = {});
  // Appends to the file, which is made when it is not there. Errors: io, permission.
  [[nodiscard]] static Result<std::unique_ptr<RunLog>> open(const std::string& path, Echo echo = {});
  ~RunLog();
  RunLog(const RunLog&) = delete;
  RunLog& operator=(const RunLog&) = delete;

  void write(Level level, std::string_view message);
  void debug(std::string_view message) { write(Level::debug, message); }
  void info(std::string_view message) { write(Level::info, message); }
  void warn(std::string_view message) { write(Level::warn, message); }
  void error(std::string_view message) { write(Level::error, message); }

 private:
  struct State;
  std::unique_ptr<State> state_;
};

[[nodiscard]] std::string_view name(RunLog::Level level);

}  // namespace ordeal
