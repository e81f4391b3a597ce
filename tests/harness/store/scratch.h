#pragma once
// A directory that vanishes with the test.

#include <stdlib.h>

#include <filesystem>
#include <string>

#include "base/error.h"

namespace ordeal {

class Scratch {
 public:
  Scratch() {
    std::string pattern = (std::filesystem::temp_directory_path() / "ordeal-test-XXXXXX").string();
    ORDEAL_CHECK(::mkdtemp(pattern.data()) != nullptr, "no temporary directory: " + pattern);
    path_ = pattern;
  }
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace ordeal
