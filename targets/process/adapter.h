#pragma once
// Adapter: one running adapter program and the conversation with it: a request as one line of JSON on its standard
// input, its reply as one line on its standard output (PROTOCOL.md).
//
// The program is not trusted to behave. Whatever it does, every call returns in time, memory is bounded, and what it
// did is named: it ended (adapter-crash), said something that is no reply (adapter-protocol), said far too much
// (adapter-flood) or nothing (adapter-timeout). After any of these it is killed with its whole process group and the
// object answers nothing any more.
//
// Thread-safety: one thread, which must be the one that started it: the kernel kills the program when that thread
// ends, so that no adapter outlives a controller that was killed.

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "checkers/history/operation.h"

namespace ordeal {

// Where the standard error of all adapters of a run goes, line by line and bounded in all. Thread-safe.
class AdapterLog {
 public:
  using Sink = std::function<void(std::string_view line)>;
  void set_sink(Sink sink);
  void write(std::string_view label, std::string_view line);

 private:
  std::mutex mutex_;
  Sink sink_;
  std::size_t written_ = 0;  // bytes
};

struct AdapterSetup {
  std::vector<std::string> words;  // the program, found by find_executable(), and its arguments
  std::string label;               // for the log: "adapter of n1"
  std::size_t max_line_bytes = std::size_t{4} << 20;
  std::shared_ptr<AdapterLog> log;  // may be null
};

struct AdapterFailure {
  bool sent = true;  // false: the program certainly never saw the request
  std::string kind;  // adapter-crash, adapter-protocol, adapter-flood, adapter-timeout
  std::string message;
};

class Adapter {
 public:
  // Errors: not_found, permission, internal.
  [[nodiscard]] static Result<std::unique_ptr<Adapter>> start(const AdapterSetup& setup);
  // Kills the process group and waits for its end.
  ~Adapter();
  Adapter(const Adapter&) = delete;
  Adapter& operator=(const Adapter&) = delete;

  // Sends `request` with an "id" added and returns the reply with that id.
  [[nodiscard]] tl::expected<Value, AdapterFailure> ask(Value request, Deadline deadline);
  // Closes its standard input, gives it `patience` to end by itself, then kills what is left of its group.
  void end(std::chrono::milliseconds patience);

 private:
  struct Impl;
  explicit Adapter(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace ordeal
