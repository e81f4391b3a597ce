#include "targets/log/server/node/http_server.h"

#include <fmt/format.h>

#include <httplib.h>

#include <condition_variable>
#include <deque>
#include <list>
#include <mutex>
#include <thread>

#include "base/value.h"
#include "targets/log/server/node/peers.h"

namespace ordeal::log::node {
namespace {

// A thread for each connection, made when needed and kept for the next one; no more than `limit`.
class Workers final : public httplib::TaskQueue {
 public:
  explicit Workers(std::size_t limit) : limit_(limit) {}
  ~Workers() override { shutdown(); }

  void enqueue(std::function<void()> serve) override {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(serve));
    if (idle_ < waiting_.size() && threads_.size() < limit_) {
      threads_.emplace_back([this] { work(); });
    } else {
      wake_.notify_one();
    }
  }

  void shutdown() override {
    {
      const std::lock_guard lock(mutex_);
      over_ = true;
      wake_.notify_all();
    }
    for (auto& thread : threads_) {
      if (thread.joinable()) thread.join();
    }
  }

 private:
  void work() {
    std::unique_lock lock(mutex_);
    while (true) {
      ++idle_;
      wake_.wait(lock, [this] { return over_ || !waiting_.empty(); });
      --idle_;
      if (waiting_.empty()) return;
      const auto serve = std::move(waiting_.front());
      waiting_.pop_front();
      lock.unlock();
      serve();
      lock.lock();
    }
  }

  const std::size_t limit_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> waiting_;
  std::list<std::thread> threads_;
  std::size_t idle_ = 0;
  bool over_ = false;
};

HttpIn request_of(const httplib::Request& request) {
  HttpIn in;
  in.method = request.method;
  in.path = request.path;
  in.query.insert(request.params.begin(), request.params.end());
  in.body = request.body;
  in.authorization = request.get_header_value("Authorization");
  return in;
}

}  // namespace

std::string HttpIn::parameter(const std::string& name) const {
  const auto found = query.find(name);
  return found == query.end() ? "" : found->second;
}

struct HttpServer::Impl {
  httplib::Server server;
  Handler handler;
  std::thread thread;
};

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<HttpServer>> HttpServer::start(const std::string& listen, const Limits& limits,
                                                      Handler handler) {
  const auto where = parse_host_port(listen);
  if (!where) return fail(where.error());
  auto impl = std::make_unique<Impl>();
  impl->handler = std::move(handler);
  httplib::Server& server = impl->server;
  server.new_task_queue = [limit = limits.connections] { return new Workers(limit); };
  server.set_payload_max_length(limits.body_bytes);
  server.set_tcp_nodelay(true);
  server.set_keep_alive_max_count(SIZE_MAX);
  // A connection is served by one thread for as long as it stands; an idle one must not keep it long.
  server.set_keep_alive_timeout(3);
  server.set_read_timeout(5);
  server.set_write_timeout(5);
  // Not SO_REUSEPORT, which is the library's default: two nodes would share a port and not notice.
  server.set_socket_options([](int socket) {
    const int on = 1;
    (void)setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  });
  const auto serve = [&handle = impl->handler](const httplib::Request& request, httplib::Response& response) {
    const HttpOut out = handle(request_of(request));
    response.status = out.status;
    for (const auto& [name, value] : out.headers) response.set_header(name, value);
    response.set_content(out.body, out.type);
  };
  server.Get(".*", serve);
  server.Post(".*", serve);
  server.Delete(".*", serve);
  server.set_error_handler([](const httplib::Request&, httplib::Response& response) {
    if (!response.body.empty()) return;  // ours
    const bool large = response.status == 413;
    response.set_content(
        fmt::format(R"({{"error":{{"code":"{}","message":"{}","outcome":"not-applied"}}}})",
                    large ? "too-large" : "bad-request", large ? "the body is too large" : "not a request of this API"),
        "application/json");
  });
  const std::string host = where->host.empty() ? "0.0.0.0" : where->host;
  if (!server.bind_to_port(host, std::atoi(where->port.c_str()))) {
    return fail(ErrorCode::io,
                fmt::format("listening for clients at {}: is the port in use, the address this machine's?", listen));
  }
  impl->thread = std::thread([&server] { (void)server.listen_after_bind(); });
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

HttpServer::~HttpServer() {
  impl_->server.stop();
  impl_->thread.join();
}

}  // namespace ordeal::log::node
