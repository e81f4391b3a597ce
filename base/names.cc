#include "base/names.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace ordeal {
namespace {

// Letters left out, added, changed, or two neighbours in the other order (optimal string alignment).
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before, above(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    before = std::exchange(above, row);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
  }
  return row[b.size()];
}

}  // namespace

std::string joined(const std::vector<std::string>& names) {
  std::string out;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i > 0) out += i + 1 == names.size() ? " and " : ", ";
    out += names[i];
  }
  return out;
}

std::string nearest(std::string_view wanted, const std::vector<std::string>& names) {
  std::string best;
  std::size_t best_distance = wanted.size() / 3 + 2;
  for (const auto& candidate : names) {
    // The distance is at least the difference of the lengths.
    if (std::max(wanted.size(), candidate.size()) - std::min(wanted.size(), candidate.size()) >= best_distance)
      continue;
    if (const std::size_t d = edit_distance(wanted, candidate); d < best_distance) {
      best_distance = d;
      best = candidate;
    }
  }
  return best;
}

Error unknown_name(std::string_view what, std::string_view wanted, const std::vector<std::string>& known) {
  std::string text = "unknown " + std::string(what) + " \"" + std::string(wanted) + "\"";
  const std::string near = nearest(wanted, known);
  if (!near.empty()) text += "; did you mean \"" + near + "\"?";
  text += known.empty() ? " (none is known)" : (near.empty() ? ". Known: " : " Known: ") + joined(known) + ".";
  return Error{ErrorCode::usage, std::move(text)};
}

}  // namespace ordeal
