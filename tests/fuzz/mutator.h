#pragma once
// Mutator: spoils valid texts a little, so that readers get past their first check: insertions, deletions, repetitions,
// wrong bytes, cut ends, and tokens that mean something to one of the readers. ORDEAL_SEED chooses others.
// Thread-safety: none.

#include <algorithm>
#include <array>
#include <cstdlib>
#include <random>
#include <string>
#include <string_view>

namespace ordeal::testing {

class Mutator {
 public:
  Mutator() {
    if (const char* seed = std::getenv("ORDEAL_SEED"))
      random_.seed(static_cast<unsigned>(std::strtoul(seed, nullptr, 10)));
  }
  std::string mutated(std::string text) {
    for (std::size_t n = 1 + below(3); n > 0; --n) once(text);
    return text;
  }
  std::size_t below(std::size_t n) { return random_() % n; }

 private:
  using Token = std::string_view;
  static constexpr std::array kTokens = {
      // structure
      Token("{"), Token("}"), Token("["), Token("]"), Token("[["), Token("]]"), Token("("), Token(")"), Token("#"),
      Token("#_"), Token("#{"), Token(":"), Token(","), Token("="), Token("\""), Token("\"\"\""), Token("\\"),
      Token("\\u"), Token("\\u12"), Token(";"), Token("\n"), Token("\r\n"), Token("\t"), Token(" "), Token("-"),
      Token("/"), Token("/0"), Token("^"), Token("'"), Token("##"), Token("|"), Token("@"), Token("*"), Token("!"),
      Token("%"), Token("${"), Token("~/"), Token("."),
      // words and numbers
      Token("0"), Token("9"), Token("e9"), Token("1e400"), Token("N"), Token("M"), Token("0x"), Token("inf"),
      Token("nan"), Token("null"), Token("nil"), Token("true"), Token(":info"), Token("\"info\""), Token(":process"),
      Token("\"process\":"), Token("99999999999999999999"), Token("-9223372036854775808"), Token("9223372036854775807"),
      Token("1073741824"), Token("2147483648"), Token("Host"), Token("Match"), Token("none"), Token("all"),
      Token("jepsen.util"),
      // bytes
      Token("\xFF"), Token("\xC3"), Token("\xEF\xBB\xBF"), Token("\0", 1), Token("\x1F\x8B\x08")};

  void once(std::string& text) {
    const std::size_t at = below(text.size() + 1);
    const std::size_t length = std::min(text.size() - at, below(12));
    switch (below(7)) {
      case 0:
        text.insert(at, kTokens[below(kTokens.size())]);
        break;
      case 1:
        text.erase(at, length);
        break;
      case 2:
        text.replace(at, length, kTokens[below(kTokens.size())]);
        break;
      case 3:
        text.insert(below(text.size() + 1), text.substr(at, below(80)));
        break;
      case 4:
        if (at < text.size()) text[at] = static_cast<char>(below(256));
        break;
      case 5:
        text.resize(at);
        break;
      default:
        text.insert(at, std::string(below(40), "[{(\"# "[below(6)]));
        break;
    }
  }
  std::mt19937 random_{20'261'121};
};

}  // namespace ordeal::testing
