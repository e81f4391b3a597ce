// The floor under the cost of a client operation: threads that do nothing but send etcd requests and read the replies,
// in three ways. Prints the CPU seconds of this process by the operation. How to run: overhead.md here.
//
//   etcd_loop raw|session|curl THREADS SECONDS RATE http://127.0.0.1:2379
//
// raw: a socket each, send(2) and recv(2), no parsing; session: the targets' HttpSession; curl: libcurl's easy
// interface, as HttpSession used it once. RATE: requests a second of all threads together, at fixed distances; 0: full
// speed.

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/descriptor.h"
#include "harness/control/tcp.h"
#include "targets/http/http_session.h"

#ifdef ORDEAL_BENCH_CURL
#include <curl/curl.h>
#endif

namespace ordeal {
namespace {

constexpr const char* kRead = R"({"key":"b3JkZWFsL2t2LzE="})";
constexpr const char* kWrite = R"({"key":"b3JkZWFsL2t2LzE=","value":"Mw=="})";

// Reads and writes in turn: the path and the body of the n-th request.
std::pair<std::string, std::string> request(std::uint64_t n) {
  return n % 2 == 0 ? std::pair<std::string, std::string>("/v3/kv/range", kRead)
                    : std::pair<std::string, std::string>("/v3/kv/put", kWrite);
}

using Exchange = std::function<bool(std::uint64_t n)>;

Exchange raw(const std::string& authority) {
  const auto colon = authority.rfind(':');
  auto connected =
      try_connect_tcp(authority.substr(0, colon), std::atoi(authority.c_str() + colon + 1), Deadline::after_s(5));
  if (!connected) return nullptr;
  auto socket = std::make_shared<Descriptor>(*std::move(connected));
  (void)::fcntl(socket->get(), F_SETFL, 0);
  return [socket, authority](std::uint64_t n) {
    const auto [path, body] = request(n);
    const std::string text = "POST " + path + " HTTP/1.1\r\nHost: " + authority +
                             "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
    if (::send(socket->get(), text.data(), text.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(text.size()))
      return false;
    std::array<char, 4096> buffer;
    const ssize_t got = ::recv(socket->get(), buffer.data(), buffer.size(), 0);
    return got > 15 && std::string_view(buffer.data(), 15) == "HTTP/1.1 200 OK";
  };
}

Exchange session(const std::string& url) {
  return [url, one = std::make_shared<HttpSession>()](std::uint64_t n) {
    const auto [path, body] = request(n);
    const auto reply = one->perform({url + path, body, false, false}, Deadline::after_s(5));
    return reply && reply->status == 200;
  };
}

#ifdef ORDEAL_BENCH_CURL
std::size_t append(char* data, std::size_t size, std::size_t count, void* user) {
  static_cast<std::string*>(user)->append(data, size * count);
  return size * count;
}

Exchange with_curl(const std::string& url) {
  const std::shared_ptr<CURL> handle(curl_easy_init(), curl_easy_cleanup);
  CURL* h = handle.get();
  curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(h, CURLOPT_TCP_NODELAY, 1L);
  curl_easy_setopt(h, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  curl_easy_setopt(h, CURLOPT_MAXCONNECTS, 1L);
  curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, append);
  curl_easy_setopt(h, CURLOPT_POST, 1L);
  curl_easy_setopt(h, CURLOPT_TIMEOUT_MS, 5000L);
  return [handle, url](std::uint64_t n) {
    const auto [path, body] = request(n);
    std::string reply;
    curl_easy_setopt(handle.get(), CURLOPT_WRITEDATA, &reply);
    curl_easy_setopt(handle.get(), CURLOPT_URL, (url + path).c_str());
    curl_easy_setopt(handle.get(), CURLOPT_POSTFIELDSIZE, static_cast<long>(body.size()));
    curl_easy_setopt(handle.get(), CURLOPT_POSTFIELDS, body.data());
    return curl_easy_perform(handle.get()) == CURLE_OK;
  };
}
#endif

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

Exchange exchange_of(const std::string& mode, const std::string& url) {
  if (mode == "raw") return raw(url.substr(url.find("//") + 2));
  if (mode == "session") return session(url);
#ifdef ORDEAL_BENCH_CURL
  if (mode == "curl") return with_curl(url);
#endif
  return nullptr;
}

int loop(const std::string& mode, int threads, double seconds, double rate, const std::string& url) {
  std::atomic<std::uint64_t> done = 0;
  std::atomic<bool> broken = false;
  const auto begin = std::chrono::steady_clock::now();
  const Deadline end = Deadline::after_s(seconds);
  {
    std::vector<std::jthread> all;
    for (int i = 0; i < threads; ++i) {
      all.emplace_back([&, i] {
        const Exchange exchange = exchange_of(mode, url);
        std::uint64_t n = 0;
        while (exchange && !broken && !end.passed()) {
          if (rate > 0)
            std::this_thread::sleep_until(begin + from_seconds((static_cast<double>(n) * threads + i) / rate));
          if (!exchange(n)) broken = true;
          ++n;
        }
        done += n;
      });
    }
  }
  if (broken || done == 0) {
    fmt::print(stderr, "etcd_loop: {}: no etcd answers at {}, or there is no such way\n", mode, url);
    return 1;
  }
  fmt::print("{} {} {:.2f}\n", mode, done.load(), cpu_seconds() * 1e6 / static_cast<double>(done.load()));
  return 0;
}

}  // namespace
}  // namespace ordeal

int main(int argc, char** argv) {
  if (argc != 6) {
    fmt::print(stderr, "usage: etcd_loop raw|session|curl THREADS SECONDS RATE http://HOST:PORT\n");
    return 64;
  }
  return ordeal::loop(argv[1], std::atoi(argv[2]), std::atof(argv[3]), std::atof(argv[4]), argv[5]);
}
