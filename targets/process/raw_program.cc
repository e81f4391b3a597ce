#include "targets/process/raw_program.h"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "targets/process/without_sigpipe.h"
#include "targets/process/words.h"

namespace ordeal {

Result<std::unique_ptr<RawProgram>> RawProgram::start(const AdapterSetup& setup) {
  auto out = std::make_unique<RawProgram>(setup);
  auto process = ChildProcess::start(setup.words, setup.variables);
  if (!process) return fail(process.error());
  out->process_ = *std::move(process);
  return out;
}

bool RawProgram::step(bool writing, Deadline deadline) {
  if (deadline.passed()) return false;
  std::array<pollfd, 3> fds = {pollfd{output_open_ ? process_->output() : -1, POLLIN, 0},
                               pollfd{errors_open_ ? process_->errors() : -1, POLLIN, 0},
                               pollfd{writing ? process_->input() : -1, POLLOUT, 0}};
  if (!output_open_ && !errors_open_ && !writing) return false;
  if (::poll(fds.data(), fds.size(), deadline.poll_ms()) <= 0) return !deadline.passed();
  if (fds[1].revents != 0) errors_open_ = errors_.read_from(process_->errors());
  if (fds[0].revents != 0) {
    std::array<char, 65536> buffer;
    const ssize_t n = ::read(process_->output(), buffer.data(), buffer.size());
    if (n > 0) output_.append(buffer.data(), static_cast<std::size_t>(n));
    output_open_ = n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
  }
  return true;
}

bool RawProgram::write(std::string_view text, Deadline deadline) {
  const WithoutSigpipe guard;
  while (!text.empty()) {
    const ssize_t n = ::write(process_->input(), text.data(), text.size());
    if (n > 0) {
      text.remove_prefix(static_cast<std::size_t>(n));
    } else if (n < 0 && errno != EAGAIN && errno != EINTR) {
      return false;
    } else if (!step(true, deadline)) {
      return false;
    }
  }
  return true;
}

std::optional<std::string> RawProgram::line(Deadline deadline) {
  while (true) {
    if (const std::size_t end = output_.find('\n'); end != std::string::npos) {
      std::string out = output_.substr(0, end);
      output_.erase(0, end + 1);
      return out;
    }
    if (!output_open_ || output_.size() > setup_.max_line_bytes || !step(false, deadline)) return std::nullopt;
  }
}

bool RawProgram::ends(std::chrono::milliseconds patience) { return process_->wait(patience); }

std::string RawProgram::last_said() {
  std::string out = output_.empty() ? "" : "\"" + shown(output_) + "\" without an end of line; ";
  const bool ended = process_->wait(std::chrono::milliseconds(300));
  while (errors_open_ && step(false, Deadline::after(std::chrono::milliseconds(50)))) {
  }
  errors_.flush();
  process_->kill();
  out += ended ? "it " + process_->how_it_ended() : "nothing more";
  return out + errors_.last_words();
}

}  // namespace ordeal
