#pragma once
// What tests of the program share: its command line, what stands in a file, waiting for that.

#include <chrono>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace ordeal::testing {

inline std::string contents(const std::filesystem::path& file) {
  std::ostringstream text;
  text << std::ifstream(file, std::ios::binary).rdbuf();
  return text.str();
}

// The program with these arguments. ORDEAL_PROGRAM is where it was built.
inline std::vector<std::string> ordeal(std::initializer_list<std::string> arguments) {
  std::vector<std::string> out = {ORDEAL_PROGRAM};
  out.insert(out.end(), arguments);
  return out;
}

// Waits until `file` contains `text`; false: two minutes were not enough.
[[nodiscard]] inline bool writes(const std::filesystem::path& file, const std::string& text) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(120);
  while (contents(file).find(text) == std::string::npos) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return true;
}

}  // namespace ordeal::testing
