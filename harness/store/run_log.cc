#include "harness/store/run_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <mutex>

#include "base/descriptor.h"
#include "base/files.h"
#include "harness/store/run_directory.h"

namespace ordeal {

struct RunLog::State {
  std::mutex mutex;  // guards echo, so that lines do not mix
  Echo echo;
  Descriptor file;
};

std::string_view name(RunLog::Level level) {
  switch (level) {
    case RunLog::Level::debug:
      return "debug";
    case RunLog::Level::info:
      return "info";
    case RunLog::Level::warn:
      return "warn";
    case RunLog::Level::error:
      return "error";
  }
  return "info";
}

RunLog::RunLog(Echo echo) : state_(std::make_unique<State>()) { state_->echo = std::move(echo); }

RunLog::~RunLog() = default;

Result<std::unique_ptr<RunLog>> RunLog::open(const std::string& path, Echo echo) {
  Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  if (!file) return fail(system_error("opening " + path, errno));
  auto log = std::make_unique<RunLog>(std::move(echo));
  log->state_->file = std::move(file);
  return log;
}

void RunLog::write(Level level, std::string_view message) {
  // "20261121T070048.123Z" with the separators that people expect.
  std::string line = utc_stamp(std::chrono::system_clock::now());
  line.insert(13, ":").insert(11, ":").insert(6, "-").insert(4, "-");
  line += ' ';
  line += name(level);
  line += ' ';
  const std::size_t head = line.size();
  line += message;
  // A message of several lines (the end of a log) stays one record.
  for (std::size_t at = line.find('\n', head); at != std::string::npos; at = line.find('\n', at)) {
    line.replace(at, 1, "\n    ");
    at += 5;
  }
  line += '\n';
  const std::lock_guard lock(state_->mutex);
  if (state_->file) {
    [[maybe_unused]] const ssize_t n = ::write(state_->file.get(), line.data(), line.size());
  }
  if (state_->echo) state_->echo(level, message);
}

}  // namespace ordeal
