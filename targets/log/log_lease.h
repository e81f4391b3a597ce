#pragma once
// LogLease: keeps a lock of ordeal-log alive by a thread of its own until it is destroyed.
// Thread-safety: owned by one thread; the keep-alive thread has a connection of its own.

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>

namespace ordeal {

class LogLease {
 public:
  LogLease(std::string endpoint, std::string lock, std::int64_t token, std::int64_t ttl_s);
  // Ends the keep-alive within a second; the lease lapses by itself unless the lock was released.
  ~LogLease();
  LogLease(const LogLease&) = delete;
  LogLease& operator=(const LogLease&) = delete;

  [[nodiscard]] std::int64_t token() const { return token_; }

 private:
  void keep_alive(const std::stop_token& stop, const std::string& endpoint, const std::string& lock,
                  std::int64_t ttl_s);
  std::int64_t token_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::jthread thread_;  // last: it uses the others
};

}  // namespace ordeal
