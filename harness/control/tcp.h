#pragma once
// A non-blocking TCP connection with a deadline on every step, resolving the name included.
//
// Thread-safety: functions without state.

#include <string>

#include "base/deadline.h"
#include "base/descriptor.h"
#include "base/error.h"

namespace ordeal {

// Connects to the first address of `host` (a name, an IPv4 or an IPv6 address) that answers. The addresses share the
// deadline evenly, so that one black hole does not hide an address that works. Errors: unreachable, timeout.
[[nodiscard]] Result<Descriptor> connect_tcp(const std::string& host, int port, Deadline deadline);

}  // namespace ordeal
