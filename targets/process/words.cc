#include "targets/process/words.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <sstream>

namespace ordeal {

Result<std::vector<std::string>> split_words(std::string_view line) {
  std::vector<std::string> words;
  std::string word;
  bool in_word = false;
  char quote = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    const bool blank = c == ' ' || c == '\t' || c == '\n';
    if (quote == 0 && blank) {
      if (in_word) words.push_back(std::move(word));
      word.clear();
      in_word = false;
      continue;
    }
    in_word = true;
    if (quote == 0 && (c == '\'' || c == '"')) {
      quote = c;
    } else if (c == quote) {
      quote = 0;
    } else if (c == '\\' && quote != '\'' && i + 1 < line.size()) {
      word += line[++i];
    } else {
      word += c;
    }
  }
  if (quote != 0) return fail(ErrorCode::usage, fmt::format("a {} without its end in \"{}\"", quote, line));
  if (in_word) words.push_back(std::move(word));
  if (words.empty()) return fail(ErrorCode::usage, "a command was expected, found nothing");
  return words;
}

Result<std::string> find_executable(const std::string& word) {
  if (word.find('/') != std::string::npos) {
    if (access(word.c_str(), X_OK) == 0) return word;
    return fail(ErrorCode::not_found, fmt::format("\"{}\" is no program that can be executed", word));
  }
  const char* path = std::getenv("PATH");
  std::istringstream directories(path != nullptr ? path : "/usr/local/bin:/usr/bin:/bin");
  for (std::string directory; std::getline(directories, directory, ':');) {
    const std::string candidate = (directory.empty() ? "." : directory) + "/" + word;
    if (access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return fail(ErrorCode::not_found, fmt::format("there is no program \"{}\" in $PATH", word));
}

std::string shown(std::string_view bytes, std::size_t max_bytes) {
  std::string out;
  for (const char c : bytes.substr(0, max_bytes)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7F) {
      out += c;
    } else {
      out += fmt::format("\\x{:02x}", byte);
    }
  }
  if (bytes.size() > max_bytes) out += fmt::format("… ({} bytes)", bytes.size());
  return out;
}

}  // namespace ordeal
