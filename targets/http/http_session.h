#pragma once
// HttpSession: one client's HTTP/1.1 connection to one server, made for testing databases.
//
// What it does that a general HTTP client does not: it says whether a failed request may have reached the server,
// and it never sends a request twice that is not idempotent. Libraries repeat a request when a kept-alive connection
// breaks before the first byte of the reply: the server may well have executed it, and the repetition shows up in a
// history as a lost update or a value nobody wrote. No proxy is taken from the environment and no redirect is
// followed: what is measured is the node that was named.
//
// It is cheap: a request costs a look whether the kept-alive connection still stands, one send(2) and one blocking
// recv(2), where libcurl needs five poll(2) more and four times the CPU (tests/bench/overhead.md). Boost.Beast parses
// the replies.
//
// Thread-safety: one thread at a time.

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "checkers/history/operation.h"

namespace ordeal {

struct HttpRequest {
  std::string url;   // "http://host[:port]/path"; nothing but http
  std::string body;  // sent by POST as application/json
  bool get = false;  // GET without a body instead
  // True when the request may be repeated on a new connection after the old one broke. Otherwise that is a failure.
  bool idempotent = false;
  std::string bearer = {};  // token of an Authorization header; empty: none is sent. Requires: no line breaks
};

struct HttpReply {
  int status = 0;
  std::string body;
};

struct HttpFailure {
  // False: not one byte of the request left this machine, so it certainly had no effect.
  bool sent = true;
  std::string kind;     // "timeout", "connection-refused", "connection-closed", …
  std::string message;  // for people, with the address
};

class HttpSession {
 public:
  HttpSession();
  ~HttpSession();
  HttpSession(HttpSession&&) noexcept;
  HttpSession& operator=(HttpSession&&) noexcept;

  // Does one request; connects first unless the connection is still there. Returns by the deadline.
  [[nodiscard]] tl::expected<HttpReply, HttpFailure> perform(const HttpRequest& request, Deadline deadline);
  // Closes the connection.
  void close();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// "10.0.0.1:2379", "[fd00::1]:2379".
[[nodiscard]] std::string host_port(std::string_view address, int port);

}  // namespace ordeal
