#include "nemesis/programs/disk/caller.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <algorithm>
#include <climits>
#include <cstdlib>
#include <string>
#include <vector>

#include "nemesis/programs/agent/proc.h"
#include "nemesis/programs/agent/timing.h"

namespace ordeal::disk {
namespace {

using agent::read_file;
using agent::split;

// NUMBER ARGUMENT0 … ARGUMENT5 STACK PROGRAM, all but the first hexadecimal; "running" instead when the thread does not
// wait.
std::vector<std::string> call_of(pid_t thread) {
  return split(read_file("/proc/" + std::to_string(thread) + "/syscall"), " \n");
}

std::uint64_t total(pid_t thread, std::uint64_t vector, std::uint64_t count) {
  std::vector<iovec> pieces(std::min<std::uint64_t>(count, IOV_MAX));
  const iovec here{pieces.data(), pieces.size() * sizeof(iovec)};
  const iovec there{reinterpret_cast<void*>(vector), here.iov_len};
  if (::process_vm_readv(thread, &here, 1, &there, 1, 0) != static_cast<ssize_t>(here.iov_len)) return 0;
  std::uint64_t out = 0;
  for (const iovec& one : pieces) out += one.iov_len;
  return out;
}

// Where the next write(2) to a descriptor goes.
void find_place(pid_t thread, std::uint64_t descriptor, WriteCall& out) {
  const auto lines =
      split(read_file("/proc/" + std::to_string(thread) + "/fdinfo/" + std::to_string(descriptor)), "\n");
  for (const std::string& line : lines) {
    const auto words = split(line, "\t ");
    if (words.size() != 2) continue;
    if (words[0] == "pos:") out.offset = std::strtoull(words[1].c_str(), nullptr, 10);
    if (words[0] == "flags:") out.at_end = (std::strtoull(words[1].c_str(), nullptr, 8) & O_APPEND) != 0;
  }
}

}  // namespace

bool can_see_calls() { return split(read_file("/proc/thread-self/syscall"), " \n").size() == 9; }

bool write_call_of(pid_t thread, WriteCall& out) {
  std::vector<std::string> words = call_of(thread);
  // It may not have gone to sleep yet.
  for (int i = 0; i < 50 && words.size() == 1; ++i) {
    agent::pause_ns(20'000LL << std::min(i, 4));
    words = call_of(thread);
  }
  if (words.size() != 9) return false;
  const long number = std::strtol(words[0].c_str(), nullptr, 10);
  const auto argument = [&](std::size_t i) { return std::strtoull(words[i + 1].c_str(), nullptr, 16); };
  const bool vector = number == SYS_writev || number == SYS_pwritev || number == SYS_pwritev2;
  if (!vector && number != SYS_write && number != SYS_pwrite64) return false;
  out = {};
  out.size = vector ? total(thread, argument(1), argument(2)) : argument(2);
  find_place(thread, argument(0), out);
  const bool placed =
      number == SYS_pwrite64 || number == SYS_pwritev || (number == SYS_pwritev2 && argument(3) != ~0ULL);
  if (placed) out.offset = argument(3);  // O_APPEND wins, as in the kernel
  return true;
}

}  // namespace ordeal::disk
