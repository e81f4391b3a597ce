#pragma once
// ErrorLines: what an adapter writes to standard error: line by line into the run's log, and the last of it kept for
// messages. Bounded. Thread-safety: one thread.

#include <deque>
#include <string>
#include <string_view>

#include "targets/process/conversation.h"

namespace ordeal {

class ErrorLines {
 public:
  explicit ErrorLines(const AdapterSetup& setup) : label_(setup.label), log_(setup.log) {}

  // Reads once from the program's standard error, which does not block. False at its end.
  [[nodiscard]] bool read_from(int fd);
  // What is left counts as a line.
  void flush();
  // "; it last said on standard error: | …", or nothing.
  [[nodiscard]] std::string last_words() const;

 private:
  void add(std::string_view line);
  std::string label_;
  std::shared_ptr<AdapterLog> log_;
  std::string unfinished_;
  std::deque<std::string> tail_;
};

}  // namespace ordeal
