#include "targets/log/server/tools/words.h"

#include <charconv>

namespace ordeal::log::tools {
namespace {

template <class T>
Result<void> take_number(const std::string& option, const std::string& text, T min, T max, T& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end != text.data() + text.size() || out < min || out > max) {
    return fail(ErrorCode::usage,
                option + ": expected a number from " + std::to_string(min) + " to " + std::to_string(max));
  }
  return {};
}

Result<void> take_option(const std::string& option, const std::string& value, Words& out) {
  if (option == "--origin") {
    out.origin = value;
  } else if (option == "--keep") {
    out.keep = value;
  } else if (option == "--rounds") {
    return take_number(option, value, 1, 1'000'000'000, out.rounds);
  } else if (option == "--every") {
    return take_number(option, value, 0.0, 86400.0, out.every_s);
  } else if (option == "--key") {
    auto key = tree::VerifierKey::parse(value);
    if (!key) return fail(ErrorCode::usage, "--key: " + key.error().message);
    out.keys.push_back(*key);
  } else {
    return fail(ErrorCode::usage, "unknown option " + option + "; known: --origin, --key, --keep, --rounds, --every");
  }
  return {};
}

}  // namespace

Result<Words> parse_words(const std::vector<std::string>& words) {
  Words out;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (!words[i].starts_with("--")) {
      out.rest.push_back(words[i]);
      continue;
    }
    const std::size_t equals = words[i].find('=');
    const std::string option = words[i].substr(0, equals);
    if (equals == std::string::npos && i + 1 == words.size()) return fail(ErrorCode::usage, option + " needs a value");
    const std::string value = equals == std::string::npos ? words[++i] : words[i].substr(equals + 1);
    if (const auto taken = take_option(option, value, out); !taken) return fail(taken.error());
  }
  return out;
}

}  // namespace ordeal::log::tools
