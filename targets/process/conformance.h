#pragma once
// conformance(): an adapter put to the test of the protocol (PROTOCOL.md), case by case, each with a program of its
// own: what it says to describe and open, every operation that it names, operations that there are not, garbage, a
// system that does not answer, several clients, the end.
//
// Requests are written as Ordeal writes them; what comes back is read byte by byte, so that what Adapter would only
// call a breach can be shown. Thread-safety: one call at a time per adapter.

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "base/error.h"
#include "targets/process/conversation.h"

namespace ordeal {

struct ConformanceSetup {
  AdapterSetup adapter;
  std::vector<std::string> operations;  // empty: it is asked
  std::string node = "n1";              // that clients are to talk to
  std::string address = "127.0.0.1";
  std::string endpoint;  // empty: none
  std::chrono::milliseconds timeout{5000};
  // The cases to try, beside describe and the operations, on which the others rest; empty: all.
  std::vector<std::string> only;
};

struct ConformanceCase {
  enum class Outcome { passed, failed, skipped };
  std::string name;
  Outcome outcome = Outcome::passed;
  std::string what;  // what was asked, and what of it holds or does not
  std::string said;  // what the adapter wrote, or how it ended; made printable
};

// "passed", "failed", "skipped".
[[nodiscard]] std::string_view name(ConformanceCase::Outcome outcome);

// `told` is called as each case ends. Errors: what keeps the program from being started.
[[nodiscard]] Result<std::vector<ConformanceCase>> conformance(
    const ConformanceSetup& setup, const std::function<void(const ConformanceCase&)>& told = {});

}  // namespace ordeal
