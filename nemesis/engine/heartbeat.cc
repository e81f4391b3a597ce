#include "nemesis/engine/heartbeat.h"

#include <algorithm>

#include "nemesis/node/node_state.h"
#include "nemesis/node/parallel.h"

namespace ordeal {
namespace {

constexpr int kBeatEveryMs = 500;
constexpr int kMsPerNode = 20;
constexpr auto kBeatTimeout = std::chrono::seconds(2);

}  // namespace

std::chrono::milliseconds beat_interval(std::size_t nodes) {
  return std::chrono::milliseconds(std::max(kBeatEveryMs, kMsPerNode * static_cast<int>(nodes)));
}

int dead_man_limit_s(int wanted_s, std::size_t nodes) {
  if (nodes * kMsPerNode <= kBeatEveryMs) return wanted_s;
  return std::max(wanted_s,
                  static_cast<int>(std::chrono::ceil<std::chrono::seconds>(4 * beat_interval(nodes)).count()));
}

Heartbeat::Heartbeat(Cluster& cluster, std::string run)
    : cluster_(cluster), run_(std::move(run)), interval_(beat_interval(cluster.size())) {}

Heartbeat::~Heartbeat() {
  for (auto& [node, thread] : threads_) thread.request_stop();
  threads_.clear();
}

void Heartbeat::hold(const std::vector<std::size_t>& nodes) {
  const std::lock_guard lock(mutex_);
  for (const std::size_t node : nodes) {
    ++held_[node];
    if (!threads_.contains(node)) {
      threads_.emplace(node, std::jthread([this, node](const std::stop_token& stop) { beat(node, stop); }));
    }
  }
  changed_.notify_all();
}

void Heartbeat::release(const std::vector<std::size_t>& nodes) {
  const std::lock_guard lock(mutex_);
  for (const std::size_t node : nodes) --held_[node];
}

bool Heartbeat::missed(std::size_t node, const std::string& id, std::chrono::steady_clock::time_point since) const {
  const std::lock_guard lock(mutex_);
  const auto answer = answers_.find(node);
  return answer != answers_.end() && answer->second.sent > since && !answer->second.ids.contains(id);
}

void Heartbeat::beat(std::size_t node, const std::stop_token& stop) {
  for (std::uint64_t count = 1; !stop.stop_requested(); ++count) {
    {
      std::unique_lock lock(mutex_);
      if (!changed_.wait(lock, stop, [&] { return held_[node] > 0; })) return;
    }
    const auto now = std::chrono::steady_clock::now();
    // A beat that does not arrive needs no handling here: the node heals itself, and the next one that does says so.
    const auto said = cluster_.at(node).run(root_script(beat_script(run_, count), now + kBeatTimeout));
    auto ids = said ? parse_beat(said->out) : std::nullopt;
    std::unique_lock lock(mutex_);
    if (ids) answers_[node] = {now, *std::move(ids)};
    changed_.wait_until(lock, stop, now + interval_, [] { return false; });
  }
}

}  // namespace ordeal
