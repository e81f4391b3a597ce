#pragma once
// HttpServer: HTTP/1.1 by cpp-httplib, which stays inside. It holds the limits of connections and sizes; what requests
// mean is the handler's. Thread-safety: the handler is called from several threads at once.

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/error.h"

namespace ordeal::log::node {

struct HttpIn {
  std::string method;  // "GET", "POST", "DELETE"
  std::string path;    // without the query
  std::multimap<std::string, std::string> query;
  std::string body;
  std::string authorization;

  // Of the query; empty when it is not there.
  [[nodiscard]] std::string parameter(const std::string& name) const;
};

struct HttpOut {
  int status = 200;
  std::string body = {};
  std::string type = "application/json";
  std::map<std::string, std::string> headers = {};
};

class HttpServer {
 public:
  struct Limits {
    std::size_t body_bytes = 2U << 20;  // then 413
    std::size_t connections = 1024;     // then closed at once
  };
  using Handler = std::function<HttpOut(const HttpIn&)>;
  // Listens at "host:port" and begins to serve. Errors: usage, io.
  [[nodiscard]] static Result<std::unique_ptr<HttpServer>> start(const std::string& listen, const Limits& limits,
                                                                 Handler handler);
  // Takes no more requests and waits for those that are served.
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

 private:
  struct Impl;
  explicit HttpServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace ordeal::log::node
