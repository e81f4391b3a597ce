#include "cli/console.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <mutex>

#include "cli/exit_code.h"

namespace ordeal::cli {
namespace {

std::mutex stderr_mutex;
bool progress_shown = false;  // guarded by stderr_mutex

void clear_progress_locked() {
  if (!progress_shown) return;
  std::fputs("\r\033[K", stderr);
  progress_shown = false;
}

}  // namespace

bool is_terminal(int fd) { return isatty(fd) == 1; }

std::string coloured(std::string_view text, Colour colour, int fd) {
  const char* no_colour = std::getenv("NO_COLOR");
  if (!is_terminal(fd) || (no_colour != nullptr && *no_colour != '\0')) return std::string(text);
  const char* code = "0";
  switch (colour) {
    case Colour::none:
      return std::string(text);
    case Colour::red:
      code = "1;31";
      break;
    case Colour::green:
      code = "1;32";
      break;
    case Colour::yellow:
      code = "1;33";
      break;
    case Colour::bold:
      code = "1";
      break;
    case Colour::dim:
      code = "2";
      break;
  }
  return "\033[" + std::string(code) + "m" + std::string(text) + "\033[0m";
}

std::string banner(Verdict verdict, int fd) {
  switch (verdict) {
    case Verdict::valid:
      return coloured("VALID", Colour::green, fd);
    case Verdict::invalid:
      return coloured("ANOMALY", Colour::red, fd);
    case Verdict::unknown:
      return coloured("UNKNOWN", Colour::yellow, fd);
  }
  return "UNKNOWN";
}

void say(std::string_view line) {
  const std::lock_guard lock(stderr_mutex);
  clear_progress_locked();
  std::fprintf(stderr, "%.*s\n", static_cast<int>(line.size()), line.data());
}

void complain(const Error& error) { say("ordeal: " + error.message); }

void progress(std::string_view line) {
  if (!is_terminal(STDERR_FILENO)) return;
  winsize size{};
  std::size_t width = 80;
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 10) width = size.ws_col;
  const std::lock_guard lock(stderr_mutex);
  line = line.substr(0, width - 1);
  std::fprintf(stderr, "\r\033[K%.*s", static_cast<int>(line.size()), line.data());
  std::fflush(stderr);
  progress_shown = true;
}

void end_progress() {
  const std::lock_guard lock(stderr_mutex);
  clear_progress_locked();
}

void Terminal::progress(const Progress& now) {
  std::string line = fmt::format("{:5.0f} s  {:<10} {} ok, {} info, {} fail", now.seconds, now.phase, now.counts.ok,
                                 now.counts.info, now.counts.fail);
  for (std::size_t i = 0; i < now.active_faults.size(); ++i) {
    line += (i == 0 ? "  faults: " : ", ") + now.active_faults[i];
  }
  cli::progress(line);
}

Value error_document(const Error& error) {
  Value out = Value::map();
  out.set("verdict", "unknown");
  out.set("error", error.message);
  out.set("reason", error.message);
  return out;
}

int refuse(const Error& error, bool json) {
  complain(error);
  if (json) std::printf("%s\n", error_document(error).to_json().c_str());
  return exit_code(error);
}

}  // namespace ordeal::cli
