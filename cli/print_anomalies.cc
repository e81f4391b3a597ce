#include "cli/print_anomalies.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <vector>

#include "base/text.h"
#include "cli/console.h"
#include "reports/text.h"

namespace ordeal::cli {
namespace {

constexpr std::size_t kExplained = 3;  // with their steps
constexpr std::size_t kNamed = 10;
constexpr std::size_t kValue = 72;  // columns
constexpr std::size_t kSentence = 700;

// The simplest of all checks first; what names no operations (a node that is gone, a line of a log) last.
std::vector<const Anomaly*> simplest_first(std::span<const CheckResult> checks) {
  std::vector<const Anomaly*> out;
  for (const CheckResult& check : checks) {
    for (const Anomaly& anomaly : check.anomalies) out.push_back(&anomaly);
  }
  std::stable_sort(out.begin(), out.end(), [](const Anomaly* a, const Anomaly* b) {
    const auto rank = [](const Anomaly* one) { return std::tuple(one->operations.empty(), one->operations.size()); };
    return rank(a) < rank(b);
  });
  return out;
}

// "(G2-item: write skew …; key "x")"
std::string symbol(const Anomaly& anomaly, int fd) {
  std::string out = "(" + coloured(visible_in_line(anomaly.type), Colour::bold, fd);
  if (!anomaly.meaning.empty()) out += ": " + anomaly.meaning;
  // Mostly the explanation has said it.
  const std::string key = anomaly.key ? anomaly.key->to_json() : "";
  if (anomaly.key && anomaly.explanation.find("key " + key) == std::string::npos) out += "; key " + on_a_screen(key);
  return out + ")";
}

}  // namespace

std::string on_a_screen(std::string_view sentence) {
  return visible_in_line(shortened(with_short_values(sentence, kValue), kSentence));
}

std::string told_anomalies(std::span<const CheckResult> checks, int fd) {
  std::size_t found = 0;
  for (const CheckResult& check : checks) found += count_of_anomalies(check);
  if (found == 0) return {};
  const std::vector<const Anomaly*> simplest = simplest_first(checks);
  const std::size_t shown = std::min(simplest.size(), kNamed);
  std::string out;
  if (found > shown) out += fmt::format("  the simplest {} of {} anomalies:\n", shown, found);
  for (std::size_t i = 0; i < shown; ++i) {
    const Anomaly& anomaly = *simplest[i];
    out +=
        fmt::format("  {}. {}\n     {}\n", i + 1, on_a_screen(as_sentence(anomaly.explanation)), symbol(anomaly, fd));
    // A single step would only say the explanation again.
    if (i >= kExplained || anomaly.sentences.size() < 2) continue;
    for (const std::string& sentence : anomaly.sentences)
      out += fmt::format("     - {}\n", on_a_screen(as_sentence(sentence)));
  }
  return out;
}

}  // namespace ordeal::cli
