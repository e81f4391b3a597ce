#pragma once
// What /proc says about processes of this node, for the agent.

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ordeal::agent {

// The whole of a small file; empty when it cannot be read.
[[nodiscard]] std::string read_file(const std::string& path);

[[nodiscard]] std::vector<int> all_processes();
[[nodiscard]] std::vector<int> threads_of(int process);

struct ProcessStatus {
  char state = 0;  // as in proc(5); 0: there is no such process
  int parent = 0;
  std::uint64_t started = 0;  // clock ticks since boot
  [[nodiscard]] bool alive() const { return state != 0 && state != 'Z' && state != 'X'; }
};
[[nodiscard]] ProcessStatus status_of(int process);

// Program and arguments, by which a process that was started again is known; empty for kernel threads.
[[nodiscard]] std::string command_of(int process);

struct Mapping {
  std::uint64_t start = 0;
  std::uint64_t end = 0;
  std::string permissions;  // "r-xp"
  std::string name;         // "[vdso]", a path, or empty
};
[[nodiscard]] std::vector<Mapping> mappings_of(int process);

// Reads memory of another process; false unless all of it could be read.
[[nodiscard]] bool read_memory(int process, std::uint64_t address, void* out, std::size_t size);

// The integer at the beginning of `text`, 0 when there is none.
[[nodiscard]] std::int64_t to_integer(std::string_view text);
// The words of `text` between any of `separators`.
[[nodiscard]] std::vector<std::string> split(std::string_view text, std::string_view separators);

}  // namespace ordeal::agent
