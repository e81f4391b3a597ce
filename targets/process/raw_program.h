#pragma once
// RawProgram: an adapter program and the bytes that it says, line by line, for whoever looks at what it does wrong.
// Thread-safety: one thread, which must be the one that started it (child_process.h).

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/deadline.h"
#include "base/error.h"
#include "targets/process/child_process.h"
#include "targets/process/error_lines.h"

namespace ordeal {

class RawProgram {
 public:
  // Errors: as ChildProcess::start.
  [[nodiscard]] static Result<std::unique_ptr<RawProgram>> start(const AdapterSetup& setup);
  explicit RawProgram(const AdapterSetup& setup) : setup_(setup) {}

  // Writes `text` as it is; false: it does not take it, or not by then.
  [[nodiscard]] bool write(std::string_view text, Deadline deadline);
  // The next line without its end; nothing: none came by then, or it ended.
  [[nodiscard]] std::optional<std::string> line(Deadline deadline);
  // False once it has ended or closed its output, and all of that was read.
  [[nodiscard]] bool may_say_more() const { return output_open_; }
  void close_input() { process_->close_input(); }
  // True when it ends by itself by then.
  [[nodiscard]] bool ends(std::chrono::milliseconds patience);
  void kill() { process_->kill(); }
  // What it said and did since the last line: the half of one, how it ended, its last words. Kills it.
  [[nodiscard]] std::string last_said();

 private:
  // Waits once for something to read, to write, or for the end; false at the deadline, and when there is no more.
  bool step(bool writing, Deadline deadline);

  AdapterSetup setup_;
  std::unique_ptr<ChildProcess> process_;
  ErrorLines errors_{setup_};
  std::string output_;
  bool output_open_ = true;
  bool errors_open_ = true;
};

}  // namespace ordeal
