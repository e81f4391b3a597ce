#include "reports/troubles.h"

#include <fmt/format.h>

#include <map>

#include "reports/text.h"

namespace ordeal {
namespace {

constexpr std::size_t kShown = 300;
constexpr std::string_view kPrefix = "adapter-";
constexpr std::string_view kKinds[] = {"adapter-crash", "adapter-flood", "adapter-protocol", "adapter-timeout",
                                       "adapter-unknown-member"};

}  // namespace

std::string_view trouble_in(const EventError& error) {
  if (error.kind.starts_with(kPrefix)) {
    for (const std::string_view kind : kKinds) {
      if (error.kind == kind) return kind;
    }
  }
  if (error.kind != "no-connection") return "";
  // "open: adapter-crash: the adapter exited with status 3"
  for (const std::string_view kind : kKinds) {
    if (error.message.find(std::string(kind) + ": ") != std::string::npos) return kind;
  }
  return "";
}

bool spoils(std::string_view kind) {
  return kind == "adapter-crash" || kind == "adapter-flood" || kind == "adapter-protocol";
}

std::vector<AdapterTrouble> adapter_troubles(const History& history, std::span<const OperationEvents> operations) {
  std::map<std::string_view, AdapterTrouble> found;
  for (const OperationEvents op : operations) {
    const EventError* error = op.completion == kNoEvent ? nullptr : history.error(op.completion);
    const std::string_view kind = error == nullptr ? "" : trouble_in(*error);
    if (kind.empty()) continue;
    AdapterTrouble& one = found[kind];
    if (one.count++ > 0) continue;
    one.kind = kind;
    one.first = op.completion;
    one.message = error->message;
    one.spoils = spoils(kind);
  }
  std::vector<AdapterTrouble> out;
  for (auto& [kind, one] : found) out.push_back(std::move(one));
  return out;
}

std::string sentence_of(const AdapterTrouble& trouble, const History& history) {
  const std::string which = history.describe({history.partner(trouble.first), trouble.first});
  return fmt::format("{}: {}; first, {}: {}", trouble.kind, counted(trouble.count, "operation"),
                     shortened(which, kShown / 3), shortened(trouble.message, kShown));
}

}  // namespace ordeal
