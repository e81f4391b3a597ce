#include "nemesis/programs/agent/proc.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <charconv>

namespace ordeal::agent {
namespace {

// The entries of a folder whose names are numbers.
std::vector<int> numbers_in(const std::string& folder) {
  std::vector<int> out;
  DIR* const open = ::opendir(folder.c_str());
  if (open == nullptr) return out;
  while (const dirent* entry = ::readdir(open)) {
    if (entry->d_name[0] < '1' || entry->d_name[0] > '9') continue;
    out.push_back(static_cast<int>(to_integer(entry->d_name)));
  }
  ::closedir(open);
  return out;
}

std::string in_proc(int process, const char* file) { return "/proc/" + std::to_string(process) + "/" + file; }

std::uint64_t from_hex(std::string_view text) {
  std::uint64_t out = 0;
  std::from_chars(text.data(), text.data() + text.size(), out, 16);
  return out;
}

}  // namespace

std::string read_file(const std::string& path) {
  std::string out;
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return out;
  char buffer[4096];
  for (ssize_t n = 0; (n = ::read(file, buffer, sizeof buffer)) > 0;) out.append(buffer, static_cast<std::size_t>(n));
  ::close(file);
  return out;
}

std::vector<int> all_processes() { return numbers_in("/proc"); }
std::vector<int> threads_of(int process) { return numbers_in(in_proc(process, "task")); }

ProcessStatus status_of(int process) {
  ProcessStatus out;
  const std::string line = read_file(in_proc(process, "stat"));
  const std::size_t name_end = line.rfind(") ");  // the name may hold spaces and brackets
  if (name_end == std::string::npos) return out;
  const auto fields = split(std::string_view(line).substr(name_end + 2), " \n");
  if (fields.size() < 20) return out;
  out.state = fields[0][0];
  out.parent = static_cast<int>(to_integer(fields[1]));
  out.started = static_cast<std::uint64_t>(to_integer(fields[19]));
  return out;
}

std::string command_of(int process) {
  const std::string arguments = read_file(in_proc(process, "cmdline"));
  if (arguments.empty()) return arguments;
  char program[1024];
  const ssize_t length = ::readlink(in_proc(process, "exe").c_str(), program, sizeof program);
  return std::string(program, length < 0 ? 0 : static_cast<std::size_t>(length)) + '\0' + arguments;
}

std::vector<Mapping> mappings_of(int process) {
  std::vector<Mapping> out;
  // 7fff1000-7fff3000 r-xp 00000000 00:00 0          [vdso]
  for (const std::string& line : split(read_file(in_proc(process, "maps")), "\n")) {
    const auto words = split(line, " ");
    if (words.size() < 5) continue;
    const std::size_t dash = words[0].find('-');
    if (dash == std::string::npos) continue;
    const std::string_view range = words[0];
    out.push_back({from_hex(range.substr(0, dash)), from_hex(range.substr(dash + 1)), words[1],
                   words.size() > 5 ? words[5] : std::string()});
  }
  return out;
}

bool read_memory(int process, std::uint64_t address, void* out, std::size_t size) {
  const int memory = ::open(in_proc(process, "mem").c_str(), O_RDONLY | O_CLOEXEC);
  if (memory < 0) return false;
  const ssize_t n = ::pread(memory, out, size, static_cast<off_t>(address));
  ::close(memory);
  return n == static_cast<ssize_t>(size);
}

std::int64_t to_integer(std::string_view text) {
  std::int64_t out = 0;
  std::from_chars(text.data(), text.data() + text.size(), out);
  return out;
}

std::vector<std::string> split(std::string_view text, std::string_view separators) {
  std::vector<std::string> out;
  while (true) {
    const std::size_t begin = text.find_first_not_of(separators);
    if (begin == std::string_view::npos) return out;
    text.remove_prefix(begin);
    const std::size_t end = std::min(text.find_first_of(separators), text.size());
    out.emplace_back(text.substr(0, end));
    text.remove_prefix(end);
  }
}

}  // namespace ordeal::agent
