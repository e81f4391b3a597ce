#pragma once
// Shared adapters: programs that serve many clients at once, because they said so (PROTOCOL.md, "Many clients in one
// adapter"). Every request has a `client` as well as an `id`; those of different clients are under way at the same
// time, and replies come in any order.
//
// A program that misbehaves takes the open requests of all its clients with it: they fail with the same kind as those
// of a program that serves one (adapter.h), and whoever joins later gets a new program. A client whose request is not
// answered in time is alone in that: its late reply is ignored. Only when the program has said nothing at all since the
// request it is killed.
//
// Thread-safety: all methods from any thread; a Conversation is one thread's. A program's own thread starts it, reads
// from it and ends it: the kernel kills the program when that thread ends.

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "targets/process/conversation.h"

namespace ordeal {

class SharedAdapters {
 public:
  // `clients`: how many one program serves at most.
  SharedAdapters(AdapterSetup setup, std::size_t clients);
  // Ends the programs. Conversations may outlive it, and then fail.
  ~SharedAdapters();
  SharedAdapters(const SharedAdapters&) = delete;
  SharedAdapters& operator=(const SharedAdapters&) = delete;

  // One more client, of a program that runs and has room, or of a new one. Errors: as Adapter::start.
  [[nodiscard]] Result<std::unique_ptr<Conversation>> join();

  class Program;

 private:
  const AdapterSetup setup_;
  const std::size_t clients_;
  std::mutex mutex_;
  std::vector<std::shared_ptr<Program>> programs_;  // guarded by mutex_
  std::atomic<std::int64_t> next_client_{1};
};

}  // namespace ordeal
