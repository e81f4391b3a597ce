#pragma once
// EtcdLease: a lease that is kept alive by a thread of its own until it is destroyed, as the lock recipes of etcd's
// own client do. A member that is paused or cut off lets the lease lapse; that is what the lock workload looks for.
//
// Thread-safety: owned by one thread; the keep-alive thread has a connection of its own.

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>

namespace ordeal {

class EtcdLease {
 public:
  EtcdLease(std::string endpoint, std::int64_t id, std::int64_t ttl_s);
  // Ends the keep-alive within a second; the lease lapses by itself unless it was revoked.
  ~EtcdLease();
  EtcdLease(const EtcdLease&) = delete;
  EtcdLease& operator=(const EtcdLease&) = delete;

  [[nodiscard]] std::int64_t id() const { return id_; }

 private:
  void keep_alive(std::stop_token stop, const std::string& endpoint, std::int64_t ttl_s);
  std::int64_t id_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::jthread thread_;  // last: it uses the others
};

}  // namespace ordeal
