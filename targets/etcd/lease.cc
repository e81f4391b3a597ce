#include "targets/etcd/lease.h"

#include <algorithm>
#include <chrono>

#include "targets/etcd/api.h"

namespace ordeal {
namespace {

// A keep-alive request in flight delays the end of the thread by no more than this.
constexpr auto kRequestTime = std::chrono::milliseconds(800);

}  // namespace

EtcdLease::EtcdLease(std::string endpoint, std::int64_t id, std::int64_t ttl_s)
    : id_(id), thread_([this, endpoint = std::move(endpoint), ttl_s](std::stop_token stop) {
        keep_alive(std::move(stop), endpoint, ttl_s);
      }) {}

EtcdLease::~EtcdLease() = default;

void EtcdLease::keep_alive(std::stop_token stop, const std::string& endpoint, std::int64_t ttl_s) {
  EtcdApi api(endpoint);
  const auto period = std::chrono::milliseconds(std::max<std::int64_t>(ttl_s * 1000 / 3, 100));
  while (!stop.stop_requested()) {
    {
      std::unique_lock lock(mutex_);
      wake_.wait_for(lock, stop, period, [] { return false; });
    }
    if (stop.stop_requested()) return;
    // A failure is tried again with the next period. A lease that is gone stays gone: the lock is lost, which
    // release() will learn from etcd.
    const auto left = api.keep_alive(id_, std::chrono::steady_clock::now() + kRequestTime);
    if (left && *left == 0) return;
  }
}

}  // namespace ordeal
