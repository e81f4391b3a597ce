#include "cli/console.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <mutex>

#include "base/text.h"
#include "cli/exit_code.h"

namespace ordeal::cli {
namespace {

bool wants_colour(int fd) {
  const char* no_colour = std::getenv("NO_COLOR");
  return is_terminal(fd) && (no_colour == nullptr || *no_colour == '\0');
}

std::mutex stderr_mutex;
bool progress_shown = false;  // guarded by stderr_mutex

void clear_progress_locked() {
  if (!progress_shown) return;
  std::fputs("\r\033[K", stderr);
  progress_shown = false;
}

// Why standard output could not be written, as errno; 0: it could.
int output_error = 0;

constexpr std::string_view kColours[] = {"\033[1;31m", "\033[1;32m", "\033[1;33m", "\033[1m", "\033[2m", "\033[0m"};

// As visible(), and the colours of coloured() stay.
std::string shown(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t escape = std::min(text.find('\033'), text.size());
    out += visible(text.substr(0, escape));
    text.remove_prefix(escape);
    if (text.empty()) break;
    const auto* const ours = std::find_if(std::begin(kColours), std::end(kColours),
                                          [&](std::string_view colour) { return text.starts_with(colour); });
    const std::size_t length = ours == std::end(kColours) ? 1 : ours->size();
    out += ours == std::end(kColours) ? visible(text.substr(0, 1)) : std::string(*ours);
    text.remove_prefix(length);
  }
  return out;
}

// A message may have lines (what a program said); none begins where ours do.
std::string indented(std::string_view message) {
  std::string out;
  for (const char c : message) {
    out += c;
    if (c == '\n') out += "    ";
  }
  return out;
}

// Colours are left only where coloured() would have put them.
std::string for_stream(std::string_view text, int fd) { return wants_colour(fd) ? shown(text) : visible(text); }

}  // namespace

void print(std::string_view text) {
  const std::string out = for_stream(text, STDOUT_FILENO);
  if (std::fwrite(out.data(), 1, out.size(), stdout) != out.size() && output_error == 0) output_error = errno;
}

int delivered(int code) {
  if (std::fflush(stdout) != 0 && output_error == 0) output_error = errno;
  if (output_error == 0 || output_error == EPIPE) return code;
  say(fmt::format("ordeal: writing standard output: {}", std::strerror(output_error)));
  return code == kValid ? kRunFailed : code;
}

bool is_terminal(int fd) { return isatty(fd) == 1; }

std::string coloured(std::string_view text, Colour colour, int fd) {
  if (!wants_colour(fd)) return std::string(text);
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
  std::fprintf(stderr, "%s\n", for_stream(line, STDERR_FILENO).c_str());
}

void complain(const Error& error) { say(indented("ordeal: " + error.message)); }

void Terminal::remark(std::string_view line) { say(indented(line)); }

void progress(std::string_view line) {
  if (!is_terminal(STDERR_FILENO)) return;
  winsize size{};
  std::size_t width = 80;
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 10) width = size.ws_col;
  const std::lock_guard lock(stderr_mutex);
  line = line.substr(0, width - 1);
  std::fprintf(stderr, "\r\033[K%s", visible(line).c_str());
  std::fflush(stderr);
  progress_shown = true;
}

void end_progress() {
  const std::lock_guard lock(stderr_mutex);
  clear_progress_locked();
}

void Terminal::stage(std::string_view what) {
  const std::string line = std::string(what) + " …";
  is_terminal(STDERR_FILENO) ? cli::progress(line) : say(line);
}

void Terminal::progress(const Progress& now) {
  std::string line = fmt::format("{:5.0f} s  {:<10} {} ok, {} info, {} fail", now.seconds, now.phase, now.counts.ok,
                                 now.counts.info, now.counts.fail);
  for (std::size_t i = 0; i < now.active_faults.size(); ++i) {
    line += (i == 0 ? "  faults: " : ", ") + now.active_faults[i];
  }
  if (is_terminal(STDERR_FILENO)) {
    cli::progress(line);
  } else if (now.phase != phase_ && now.phase != "opening" && now.phase != "main") {
    say(line);
  }
  phase_ = now.phase;
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
  if (json) print(error_document(error).to_json() + "\n");
  return exit_code(error);
}

}  // namespace ordeal::cli
