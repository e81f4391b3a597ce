#pragma once
// Reads a journal line by line, with nothing but Value::from_json, so that the tests of the writer do not depend on
// the reader of histories.

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "base/value.h"

namespace ordeal {

struct Lines {
  std::vector<Value> events;
  std::string torn;     // what follows the last line feed
  bool broken = false;  // a line before it was no JSON
};

inline Lines read_lines(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  Lines out;
  std::size_t begin = 0;
  for (std::size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n', begin)) {
    auto value = Value::from_json(std::string_view(text).substr(begin, end - begin));
    if (value) {
      out.events.push_back(std::move(*value));
    } else {
      out.broken = true;
    }
    begin = end + 1;
  }
  out.torn = text.substr(begin);
  return out;
}

}  // namespace ordeal
