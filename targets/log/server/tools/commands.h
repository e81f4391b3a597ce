#pragma once
// `ordeal-log verify` and `ordeal-log audit` as functions: words in, an exit code and a text out; the program prints
// it.
//
//   ordeal-log verify [--origin NAME] [--key VERIFIER]… DATA…        a stopped node's data directory, or single files
//   of it ordeal-log audit --origin NAME --key VERIFIER… [--keep FILE] [--rounds N] [--every S] URL…
//
// Exit codes: 0 nothing found, 1 something is wrong (for audit: it is proven), 2 nothing could be looked at, 64 wrong
// usage. Thread-safety: functions; audit waits between its rounds.

#include <functional>
#include <string>
#include <vector>

#include "base/error.h"
#include "targets/log/server/tree/merkle.h"
#include "targets/log/server/wal/storage.h"

namespace ordeal::log::tools {

struct CommandEnd {
  int exit_code = 0;
  std::string text;  // whole lines that nobody was told yet
};

[[nodiscard]] CommandEnd verify_command(const std::vector<std::string>& words);
// What is found in a round is said at once to `say`.
[[nodiscard]] CommandEnd audit_command(const std::vector<std::string>& words,
                                       const std::function<void(const std::string&)>& say);

// The hashes of the leaves that a recovered log makes: its snapshot's state, then its commands. Errors: input.
[[nodiscard]] Result<std::vector<tree::Hash>> replayed_leaves(const wal::Recovery& found);

}  // namespace ordeal::log::tools
