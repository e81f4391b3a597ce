#pragma once
// Conversation: requests to an adapter and its replies, as one client has them: with a program of its own (adapter.h)
// or as one of several in a program (shared_adapter.h).

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/deadline.h"
#include "base/error.h"
#include "base/value.h"

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
  std::vector<std::string> words;      // the program, found by find_executable(), and its arguments
  std::vector<std::string> variables;  // of our environment that it gets beside the usual (environment.h)
  std::string label;                   // for the log: "adapter of n1"
  std::size_t max_line_bytes = std::size_t{4} << 20;
  std::shared_ptr<AdapterLog> log;  // may be null
};

struct AdapterFailure {
  bool sent = true;  // false: the program certainly never saw the request
  std::string kind;  // adapter-crash, adapter-protocol, adapter-flood, adapter-timeout
  std::string message;
};

class Conversation {
 public:
  virtual ~Conversation() = default;
  // Sends `request` with an "id" added and returns the reply with that id. After a failure it answers nothing any more.
  [[nodiscard]] virtual tl::expected<Value, AdapterFailure> ask(Value request, Deadline deadline) = 0;
  // It is over. A program of its own has its standard input closed and `patience` to end by itself.
  virtual void end(std::chrono::milliseconds patience) = 0;
};

}  // namespace ordeal
