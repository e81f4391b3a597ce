#include "harness/nodes/process_title.h"

#include <sys/prctl.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <sstream>

namespace ordeal::nodes {

void set_process_title(const std::string& name, const std::string& title) {
  ::prctl(PR_SET_NAME, name.c_str());
  std::ifstream file("/proc/self/stat");
  std::string stat((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  stat.erase(0, stat.rfind(')') + 1);
  std::istringstream fields(stat);
  std::uintptr_t begin = 0;
  std::uintptr_t end = 0;
  std::string skipped;
  for (int field = 3; field < 48; ++field) fields >> skipped;
  // Fields 48 and 49 of proc(5): where the arguments lie in this process's memory.
  if (!(fields >> begin >> end) || begin == 0 || end <= begin) return;
  char* arguments = reinterpret_cast<char*>(begin);
  const std::size_t room = end - begin;
  std::memset(arguments, 0, room);
  std::memcpy(arguments, title.data(), std::min(title.size(), room - 1));
}

}  // namespace ordeal::nodes
