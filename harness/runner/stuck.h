#pragma once
// Threads that a client never gave back. A blocked thread cannot be killed, and joining it would hang the program;
// so it is kept here, joined should it come back after all, and otherwise the program leaves by _exit.
//
// Whoever runs workloads ends with leave() in place of exit(), after everything is written, every remote effect
// undone and the nodes torn down. Thread-safety: all functions from any thread.

#include <atomic>
#include <cstddef>
#include <memory>
#include <thread>

namespace ordeal {

// Keeps a thread that did not end in time. `finished` becomes true as its last act; `state` is what it still uses.
void keep_stuck(std::thread thread, std::shared_ptr<const std::atomic<bool>> finished, std::shared_ptr<void> state);

// How many threads are stuck at present. While it is not 0 static objects must not be destroyed: use leave().
[[nodiscard]] std::size_t stuck_threads();

// Ends the program: by exit() when no thread is stuck, else, after flushing the standard streams and saying so on
// standard error, by _exit().
[[noreturn]] void leave(int exit_code);

}  // namespace ordeal
