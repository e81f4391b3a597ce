#pragma once
// LogApi: the HTTP API of ordeal-log (doc/api.md), as one client of one node. Every problem says whether the request
// certainly had no effect. Thread-safety: one thread at a time.

#include <string>

#include "base/value.h"
#include "targets/http/http_session.h"

namespace ordeal {

struct LogProblem {
  bool certain = false;  // it had no effect and never will
  std::string kind;      // "timeout", "connection-refused", "conflict", "leader-changed", …
  std::string message;
  int status = 0;  // of HTTP; 0: there was no answer
};
template <class T>
using LogAnswer = tl::expected<T, LogProblem>;

// Judges an answer that is no success. Exposed for its tests.
[[nodiscard]] LogProblem log_problem(int status, const std::string& body);

class LogApi {
 public:
  // `endpoint`: "http://10.0.0.1:7300".
  explicit LogApi(std::string endpoint) : endpoint_(std::move(endpoint)) {}

  // POST of a request of the state; the member "result" of the answer. `changes`: never sent twice.
  [[nodiscard]] LogAnswer<Value> call(const std::string& path, Value request, bool changes, Deadline deadline);
  // GET or POST of anything else; the whole document.
  [[nodiscard]] LogAnswer<Value> get(const std::string& path, Deadline deadline);
  [[nodiscard]] LogAnswer<Value> post(const std::string& path, const Value& request, Deadline deadline);

  void close() { session_.close(); }
  [[nodiscard]] const std::string& endpoint() const { return endpoint_; }

 private:
  [[nodiscard]] LogAnswer<Value> perform(const HttpRequest& request, Deadline deadline);
  std::string endpoint_;
  HttpSession session_;
};

}  // namespace ordeal
