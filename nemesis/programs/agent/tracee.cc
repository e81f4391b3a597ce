#include "nemesis/programs/agent/tracee.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

#include "nemesis/programs/agent/proc.h"
#include "nemesis/programs/agent/timing.h"

namespace ordeal::agent {
namespace {

constexpr std::int64_t kStopWithinNs = 3'000'000'000;
constexpr std::int64_t kRunWithinNs = 2'000'000'000;
constexpr std::size_t kStackLookBytes = 16'384;
constexpr int kMaxStops = 64;  // of a thread on its way through code of ours

bool is_event_stop(int status) { return WIFSTOPPED(status) && status >> 16 == PTRACE_EVENT_STOP; }
bool is_system_call_stop(int status) { return WIFSTOPPED(status) && WSTOPSIG(status) == (SIGTRAP | 0x80); }

// The signal at whose delivery the thread stopped, if it is the one that nobody can hold back.
int stop_signal(int status) {
  return status >> 16 == 0 && WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP ? SIGSTOP : 0;
}

// Everything is held back while code of ours runs, but not what that code could raise by itself: the kernel would
// reset the process's handler of a blocked one.
constexpr std::uint64_t bit(int signal) { return 1ULL << (signal - 1); }
constexpr std::uint64_t kHeldBack =
    ~(bit(SIGSEGV) | bit(SIGBUS) | bit(SIGILL) | bit(SIGFPE) | bit(SIGTRAP) | bit(SIGSYS));

std::string error_text(int error) { return std::strerror(error); }

}  // namespace

Tracee::Tracee(int process) : process_(process) {
  // Another agent may be at work on the same process for a moment.
  const std::int64_t until = monotonic_ns() + kStopWithinNs;
  while (!seize_new() || !await_all()) {
    if (!problem_.empty()) return;
    if (monotonic_ns() > until) {
      problem_ = "it could not be stopped in time";
      return;
    }
  }
  if (threads_.empty()) problem_ = "it has ended";
}

Tracee::~Tracee() {
  for (const Thread& one : threads_) ::ptrace(PTRACE_DETACH, one.id, 0, 0);
}

// Seizes the threads that are not yet; true when there was none.
bool Tracee::seize_new() {
  bool none = true;
  for (const int id : threads_of(process_)) {
    if (std::any_of(threads_.begin(), threads_.end(), [&](const Thread& one) { return one.id == id; })) continue;
    none = false;
    if (::ptrace(PTRACE_SEIZE, id, 0, PTRACE_O_TRACESYSGOOD) != 0) {
      if (errno == ESRCH) continue;  // it has ended
      const int error = errno;
      const std::string tracer = read_file("/proc/" + std::to_string(process_) + "/status");
      if (error == EPERM && tracer.find("TracerPid:\t0\n") == std::string::npos && !tracer.empty()) {
        pause_ns(2'000'000);
        continue;
      }
      problem_ = "it may not be traced: " + error_text(error);
      return false;
    }
    threads_.push_back({id, false});
    ::ptrace(PTRACE_INTERRUPT, id, 0, 0);
  }
  return none;
}

bool Tracee::await_all() {
  std::erase_if(threads_, [&](Thread& one) {
    if (one.seen) return false;
    int status = 0;
    while (true) {
      if (!await_stop(one.id, status)) {
        if (status == 0) problem_ = "thread " + std::to_string(one.id) + " does not stop";
        return status != 0;
      }
      if (is_event_stop(status)) break;
      // A signal was on its way: it is delivered, and the thread stops right behind it.
      ::ptrace(PTRACE_CONT, one.id, 0, WSTOPSIG(status));
    }
    one.seen = true;
    return false;
  });
  return problem_.empty();
}

// False: the thread has ended (status is not 0), or did not stop in time (status is 0).
bool Tracee::await_stop(int thread, int& status) const {
  const std::int64_t until = monotonic_ns() + kRunWithinNs;
  for (std::int64_t wait_ns = 20'000;; wait_ns = std::min<std::int64_t>(2 * wait_ns, 2'000'000)) {
    status = 0;
    const int got = ::waitpid(thread, &status, __WALL | WNOHANG);
    if (got == thread) {
      if (WIFSTOPPED(status)) return true;
      status = 1;
      return false;
    }
    if (got < 0 && errno != EINTR) {
      status = 1;
      return false;
    }
    if (monotonic_ns() > until) {
      status = 0;
      return false;
    }
    pause_ns(wait_ns);
  }
}

bool Tracee::uses(std::uint64_t from, std::uint64_t to, bool stacks) const {
  const auto inside = [&](std::uint64_t address) { return address >= from && address < to; };
  const std::vector<Mapping> maps = mappings_of(process_);
  for (const Thread& one : threads_) {
    Registers registers{};
    if (!get_registers(one.id, registers)) continue;
    if (inside(program_counter(registers))) return true;
    if (!stacks) continue;
    if (inside(return_register(registers))) return true;
    const std::uint64_t stack = stack_pointer(registers) & ~7ULL;
    const auto map =
        std::find_if(maps.begin(), maps.end(), [&](const Mapping& m) { return stack >= m.start && stack < m.end; });
    if (map == maps.end()) continue;
    std::vector<std::uint64_t> words(std::min<std::uint64_t>(kStackLookBytes, map->end - stack) / 8);
    if (!read_memory(process_, stack, words.data(), words.size() * 8)) continue;
    if (std::any_of(words.begin(), words.end(), inside)) return true;
  }
  return false;
}

bool Tracee::write(std::uint64_t address, const void* bytes, std::size_t size) {
  if (threads_.empty()) return false;
  const int thread = threads_.front().id;
  const auto* from = static_cast<const unsigned char*>(bytes);
  while (size > 0) {
    const std::uint64_t word_at = address & ~7ULL;
    const std::size_t skip = address - word_at;
    const std::size_t count = std::min<std::size_t>(8 - skip, size);
    std::uint64_t word = 0;
    if (count < 8 && !read_memory(process_, word_at, &word, sizeof word)) return false;
    std::memcpy(reinterpret_cast<unsigned char*>(&word) + skip, from, count);
    if (::ptrace(PTRACE_POKEDATA, thread, word_at, word) != 0) return false;
    address += count;
    from += count;
    size -= count;
  }
  return true;
}

// Has the thread, which runs or is at a system call, stop where the kernel handles signals, as Tracee() found it.
bool Tracee::park(int thread) const {
  ::ptrace(PTRACE_INTERRUPT, thread, 0, 0);
  int status = 0;
  for (int i = 0; i < kMaxStops; ++i) {
    if (::ptrace(PTRACE_CONT, thread, 0, stop_signal(status)) != 0 || !await_stop(thread, status)) return false;
    if (is_event_stop(status)) return true;
  }
  return false;
}

bool Tracee::run(Registers registers, std::uint64_t entry, long& result) {
  const int thread = threads_.front().id;
  Registers before{};
  std::uint64_t mask = 0;
  std::uint64_t held_back = kHeldBack;
  if (!get_registers(thread, before) || ::ptrace(PTRACE_GETSIGMASK, thread, sizeof mask, &mask) != 0 ||
      ::ptrace(PTRACE_SETSIGMASK, thread, sizeof held_back, &held_back) != 0) {
    return false;
  }
  const ForgottenState forgotten(thread);
  bool done = false;
  bool at_entry = false;
  bool good = set_registers(thread, registers);
  int status = 0;
  for (int i = 0; good && !done && i < kMaxStops; ++i) {
    good = ::ptrace(PTRACE_SYSCALL, thread, 0, stop_signal(status)) == 0 && await_stop(thread, status);
    if (!good) break;
    if (is_event_stop(status) || stop_signal(status) != 0) continue;  // somebody stops the process just now
    if (!is_system_call_stop(status)) break;  // the code has raised a signal: it is not delivered
    at_entry = !at_entry;
    good = get_registers(thread, registers);
    if (at_entry && entry != 0 && program_counter(registers) == entry) {
      result = returned_before_entry(registers);
      done = skip_system_call(thread, registers);
    } else if (!at_entry && entry == 0) {
      result = returned(registers);
      done = true;
    }
  }
  // Parked, so that the kernel looks once more at the interrupted system call it finds in the old registers.
  const bool parked = park(thread);
  continue_wait(thread, before);
  const bool as_before = set_registers(thread, before) && forgotten.give_back(thread);
  return ::ptrace(PTRACE_SETSIGMASK, thread, sizeof mask, &mask) == 0 && as_before && parked && done;
}

long Tracee::system_call(std::uint64_t instruction, long number, const std::array<std::uint64_t, 6>& arguments) {
  Registers registers{};
  if (threads_.empty() || !get_registers(threads_.front().id, registers)) return -ESRCH;
  prepare_system_call(registers, instruction, number, arguments);
  long result = -ESRCH;
  return run(registers, 0, result) ? result : -ESRCH;
}

bool Tracee::call(std::uint64_t instruction, std::uint64_t function, std::uint64_t first, std::uint64_t second,
                  std::uint64_t stack, long& result) {
  Registers registers{};
  if (threads_.empty() || !get_registers(threads_.front().id, registers)) return false;
  const std::uint64_t on_stack = prepare_call(registers, function, first, second, stack, instruction);
  if (on_stack != 0 && !write(stack_pointer(registers), &on_stack, sizeof on_stack)) return false;
  return run(registers, instruction + kSystemCall.size(), result);
}

}  // namespace ordeal::agent
