#pragma once
// Client probe: whether packets pass between this process, where the clients are, and some nodes, observed by trying:
// TCP connections from here. An accepted and a refused one both prove that packets pass; only silence says that they do
// not. Thread-safety: pure functions.

#include <cstddef>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/error.h"

namespace ordeal {

// One node's answers to several connections that were opened at once.
struct ClientAnswers {
  int asked = 0;
  int answered = 0;
  double median_ms = 0;  // of the answers
  std::string problem;   // why none could be sent
};

// `times` connections to each address (IPv4, IPv6 or a name), all at once; in the order of the addresses. Takes
// `wait_ms` when one is silent.
[[nodiscard]] std::vector<ClientAnswers> probe_from_here(const std::vector<std::string>& addresses, int port, int times,
                                                         int wait_ms);

// The address from which this machine sends to that one, as its routes say. Errors: unreachable.
[[nodiscard]] Result<std::string> source_address_to(const std::string& address);

}  // namespace ordeal
