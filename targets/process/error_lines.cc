#include "targets/process/error_lines.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <utility>

#include "targets/process/words.h"

namespace ordeal {
namespace {

constexpr std::size_t kLogBytes = std::size_t{1} << 20;  // of all adapters of a run
constexpr std::size_t kTailLines = 5;                    // kept for messages
constexpr std::size_t kMaxLine = 1000;

}  // namespace

void AdapterLog::set_sink(Sink sink) {
  const std::lock_guard lock(mutex_);
  sink_ = std::move(sink);
}

void AdapterLog::write(std::string_view label, std::string_view line) {
  const std::lock_guard lock(mutex_);
  if (!sink_ || written_ > kLogBytes) return;
  written_ += line.size() + label.size() + 2;
  if (written_ > kLogBytes) {
    sink_("the adapters have written a megabyte to standard error; the rest is left out");
    return;
  }
  sink_(fmt::format("{}: {}", label, shown(line, kMaxLine)));
}

bool ErrorLines::read_from(int fd) {
  std::array<char, 16384> buffer;
  const ssize_t n = ::read(fd, buffer.data(), buffer.size());
  if (n <= 0) return n != 0;
  unfinished_.append(buffer.data(), static_cast<std::size_t>(n));
  std::size_t begin = 0;
  for (std::size_t end; (end = unfinished_.find('\n', begin)) != std::string::npos; begin = end + 1) {
    add(std::string_view(unfinished_).substr(begin, end - begin));
  }
  unfinished_.erase(0, begin);
  if (unfinished_.size() > kMaxLine) flush();
  return true;
}

void ErrorLines::flush() {
  if (!unfinished_.empty()) add(std::exchange(unfinished_, {}));
}

void ErrorLines::add(std::string_view line) {
  if (log_) log_->write(label_, line);
  tail_.push_back(shown(line));
  if (tail_.size() > kTailLines) tail_.pop_front();
}

std::string ErrorLines::last_words() const {
  if (tail_.empty()) return {};
  std::string out = "; it last said on standard error:";
  for (const auto& line : tail_) out += " | " + line;
  return out;
}

}  // namespace ordeal
