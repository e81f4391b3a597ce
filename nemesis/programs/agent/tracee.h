#pragma once
// Tracee: a process whose threads are all stopped, so that its memory can be changed and its code be run at our will.
//
// Every thread is seized and interrupted (ptrace(2)), the list being read again until no new one appears. Nothing here
// uses traps or signals inside the process: its handlers and signal masks are as they were when the object dies and
// the process goes on; a system call that was interrupted is begun again by the kernel, except for those that end
// with EINTR whenever a process is stopped (epoll_wait, signal(7)). A process that was stopped already stays so.
//
// Must be used by one thread of this program only: a tracer is a thread.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "nemesis/programs/agent/machine.h"

namespace ordeal::agent {

class Tracee {
 public:
  // Stops the process; see stopped().
  explicit Tracee(int process);
  ~Tracee();
  Tracee(const Tracee&) = delete;
  Tracee& operator=(const Tracee&) = delete;

  [[nodiscard]] bool stopped() const { return problem_.empty(); }
  [[nodiscard]] const std::string& problem() const { return problem_; }  // why it could not be stopped
  [[nodiscard]] int process() const { return process_; }

  // Whether a thread is inside [from, to). With `stacks` also whether something on the upper end of its stack, or in
  // the register for it, looks like a way back into it (a signal handler ran in between); what was left there long ago
  // looks the same.
  [[nodiscard]] bool uses(std::uint64_t from, std::uint64_t to, bool stacks) const;

  // Writes also where the process itself may not.
  [[nodiscard]] bool write(std::uint64_t address, const void* bytes, std::size_t size);

  // Has the process make a system call; `instruction` is where it has one. The result as the kernel returns it; a
  // negative error number also when the process died meanwhile.
  [[nodiscard]] long system_call(std::uint64_t instruction, long number, const std::array<std::uint64_t, 6>& arguments);

  // Has the process call one of its functions, which must not wait for anything, on a stack that ends at `stack`.
  // `instruction`: as above; the function returns to it. False when the process died or the function does not return.
  [[nodiscard]] bool call(std::uint64_t instruction, std::uint64_t function, std::uint64_t first, std::uint64_t second,
                          std::uint64_t stack, long& result);

 private:
  struct Thread {
    int id = 0;
    bool seen = false;  // it has stopped
  };
  bool seize_new();
  bool await_all();
  bool await_stop(int thread, int& status) const;
  // Runs the first thread from `registers` on until it is at the entry of the system call after `entry`, or at the
  // exit of its first system call when `entry` is 0; leaves it parked, with what it had before.
  bool run(Registers registers, std::uint64_t entry, long& result);
  bool park(int thread) const;

  int process_;
  std::vector<Thread> threads_;
  std::string problem_;
};

}  // namespace ordeal::agent
