#pragma once
// What adapters of target process did wrong (targets/process/PROTOCOL.md), as the errors of their operations tell it:
// named and counted, so that a run whose clients babble or crash is not taken for a quiet one. Thread-safety: pure.

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "checkers/history/history.h"

namespace ordeal {

struct AdapterTrouble {
  std::string kind;       // adapter-crash, adapter-flood, adapter-protocol, adapter-timeout, adapter-unknown-member
  std::size_t count = 0;  // of operations in which it showed
  EventIndex first = 0;   // the completion of the first of them
  std::string message;    // of the first
  bool spoils = false;    // nothing was learned from these operations
};

// The trouble of which an operation's error tells, also of a client that could not be opened; empty: none.
[[nodiscard]] std::string_view trouble_in(const EventError& error);
// Whether an operation in that trouble tells nothing. A silent adapter may have a silent system.
[[nodiscard]] bool spoils(std::string_view kind);

// By kind; empty: there was none.
[[nodiscard]] std::vector<AdapterTrouble> adapter_troubles(const History& history,
                                                           std::span<const OperationEvents> operations);

// "adapter-crash: 3 operations; first, process 2 write 5: the adapter exited with status 1"
[[nodiscard]] std::string sentence_of(const AdapterTrouble& trouble, const History& history);

}  // namespace ordeal
