#include "targets/log/log_lease.h"

#include "targets/log/log_api.h"

namespace ordeal {

LogLease::LogLease(std::string endpoint, std::string lock, std::int64_t token, std::int64_t ttl_s) : token_(token) {
  thread_ = std::jthread([this, endpoint = std::move(endpoint), lock = std::move(lock),
                          ttl_s](const std::stop_token& stop) { keep_alive(stop, endpoint, lock, ttl_s); });
}

LogLease::~LogLease() { thread_.request_stop(); }

void LogLease::keep_alive(const std::stop_token& stop, const std::string& endpoint, const std::string& lock,
                          std::int64_t ttl_s) {
  LogApi api(endpoint);
  Value request;
  request.set("key", lock);
  request.set("token", token_);
  request.set("ttl_ms", ttl_s * 1000);
  std::unique_lock guard(mutex_);
  while (!stop.stop_requested()) {
    const auto pause = std::chrono::milliseconds(std::min<std::int64_t>(ttl_s * 1000 / 4, 2000));
    if (wake_.wait_for(guard, stop, pause, [] { return false; }) || stop.stop_requested()) return;
    guard.unlock();
    // Short, so that the destructor does not wait long; a lost one is made up for by the next.
    const auto kept = api.call("/v1/lock/keep-alive", request, true, Deadline::after(std::chrono::milliseconds(900)));
    guard.lock();
    if (!kept && kept.error().kind == "not-held") return;
  }
}

}  // namespace ordeal
