#pragma once
// The words after `ordeal-log verify` and `ordeal-log audit`, taken apart. Thread-safety: values.

#include <string>
#include <vector>

#include "base/error.h"
#include "targets/log/server/tree/keys.h"

namespace ordeal::log::tools {

struct Words {
  std::string origin;
  std::vector<tree::VerifierKey> keys;
  std::string keep;
  int rounds = 1;
  double every_s = 1;
  std::vector<std::string> rest;  // directories, files, addresses
};

// Errors: usage.
[[nodiscard]] Result<Words> parse_words(const std::vector<std::string>& words);

}  // namespace ordeal::log::tools
