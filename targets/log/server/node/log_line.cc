#include "targets/log/server/node/log_line.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>

#include "base/text.h"

namespace ordeal::log::node {

void log_line(std::string_view level, std::string_view text) {
  const auto now = std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now());
  const auto millisecond = now.time_since_epoch().count() % 1000;
  const std::string line =
      fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z {} {}\n", fmt::gmtime(std::chrono::system_clock::to_time_t(now)),
                  millisecond, level, visible_in_line(text));
  // One write, so that lines of several threads are not mixed. Nobody can be told when it fails.
  (void)!::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace ordeal::log::node
