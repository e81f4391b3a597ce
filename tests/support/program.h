#pragma once
// Runs a program as a user would, with a deadline, and captures what it printed. A deadline is
// one of an idle machine; four times as long is waited, since what hangs does so then as well. Thread-safety: one
// object, one thread.

#include <sys/types.h>

#include <chrono>
#include <map>
#include <string>
#include <vector>

namespace ordeal::testing {

struct ProgramResult {
  int exit_code = -1;      // 128 + n when it died of signal n
  bool timed_out = false;  // it was killed at the deadline
  std::string out;
  std::string err;
};

// Runs `arguments` (the first is the program's path) in its own process group. Environment entries are added to ours.
[[nodiscard]] ProgramResult run_program(const std::vector<std::string>& arguments,
                                        std::chrono::seconds deadline = std::chrono::seconds(60),
                                        const std::map<std::string, std::string>& environment = {},
                                        const std::string& directory = "");

// A program in the background; killed (SIGKILL, its process group) by the destructor when it still runs.
class Background {
 public:
  // Standard output and error go to `log`.
  Background(const std::vector<std::string>& arguments, const std::string& log, const std::string& directory = "");
  ~Background();
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  void signal(int number) const;
  // The exit code as above, or -1 when it still runs at the deadline.
  [[nodiscard]] int wait(std::chrono::milliseconds deadline);

 private:
  pid_t pid_ = -1;
  int exit_code_ = -1;
};

// A fresh directory under the system's temporary directory, removed with everything in it by the destructor.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace ordeal::testing
