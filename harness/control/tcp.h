#pragma once
// A non-blocking TCP connection with a deadline on every step, resolving the name included.
//
// Thread-safety: functions without state.

#include <string>
#include <tl/expected.hpp>

#include "base/deadline.h"
#include "base/descriptor.h"
#include "base/error.h"

namespace ordeal {

struct ConnectFailure {
  enum class Kind { unknown_host, refused, unreachable, timeout };
  Kind kind = Kind::unreachable;
  std::string message;
};

// Connects to the first address of `host` (a name, an IPv4 or an IPv6 address) that answers. The addresses share the
// deadline evenly, so that one black hole does not hide an address that works. The descriptor is non-blocking, without
// Nagle's delay.
[[nodiscard]] tl::expected<Descriptor, ConnectFailure> try_connect_tcp(const std::string& host, int port,
                                                                       Deadline deadline);
// The same where sshd is expected. Errors: unreachable, timeout.
[[nodiscard]] Result<Descriptor> connect_tcp(const std::string& host, int port, Deadline deadline);

}  // namespace ordeal
