#pragma once
// ChildProcess: a program with pipes on its three standard streams, leader of a process group of its own.
//
// Thread-safety: one thread.

#include <sys/types.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"

namespace ordeal {

class ChildProcess {
 public:
  // `words`: the program's path and its arguments. Of our environment it gets what adapter_environment(variables) says
  // (environment.h). Errors: not_found, permission, internal.
  [[nodiscard]] static Result<std::unique_ptr<ChildProcess>> start(const std::vector<std::string>& words,
                                                                   const std::vector<std::string>& variables = {});
  // kill() and wait.
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  // Our ends of the pipes, non-blocking; -1 once closed.
  [[nodiscard]] int input() const;   // to write to
  [[nodiscard]] int output() const;  // to read from
  [[nodiscard]] int errors() const;
  // Readable once the program has ended.
  [[nodiscard]] int ended_fd() const;

  void close_input();
  // Waits for the end of the program, not of its children. True when it has ended.
  bool wait(std::chrono::milliseconds patience);
  // SIGKILL to the whole group; then reaps. Idempotent.
  void kill();
  // "exited with status 3", "was killed by signal 11 (Segmentation fault)". Requires: kill() was called.
  [[nodiscard]] std::string how_it_ended() const;

 private:
  struct Impl;
  explicit ChildProcess(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace ordeal
