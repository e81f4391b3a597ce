#include "harness/runner/stuck.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <vector>

namespace ordeal {
namespace {

struct Stuck {
  std::thread thread;
  std::shared_ptr<const std::atomic<bool>> finished;
  std::shared_ptr<void> state;
};

struct Registry {
  std::mutex mutex;
  std::vector<Stuck> threads;
};

// Never destroyed: destroying a thread that still runs would end the program with an error.
Registry& registry() {
  static auto* const one = new Registry;
  return *one;
}

}  // namespace

void keep_stuck(std::thread thread, std::shared_ptr<const std::atomic<bool>> finished, std::shared_ptr<void> state) {
  const std::lock_guard lock(registry().mutex);
  registry().threads.push_back({std::move(thread), std::move(finished), std::move(state)});
}

std::size_t stuck_threads() {
  const std::lock_guard lock(registry().mutex);
  std::erase_if(registry().threads, [](Stuck& stuck) {
    if (!stuck.finished->load(std::memory_order_acquire)) return false;
    stuck.thread.join();
    return true;
  });
  return registry().threads.size();
}

void leave(int exit_code) {
  const std::size_t count = stuck_threads();
  if (count == 0) std::exit(exit_code);
  std::fprintf(stderr, "ordeal: %zu client thread%s never came back from a call; leaving without %s\n", count,
               count == 1 ? "" : "s", count == 1 ? "it" : "them");
  std::fflush(nullptr);
  ::_exit(exit_code);
}

}  // namespace ordeal
