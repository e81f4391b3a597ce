#pragma once
// Errors of the whole project: a code, what was found, and what was being done.
//
// Functions that can fail for a reason outside the program return Result<T>; a broken invariant of the program
// itself aborts with ORDEAL_CHECK, in every build. What a client saw is data (a Completion), never an Error.
// Thread-safety: values; share nothing.

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace ordeal {

enum class ErrorCode {
  usage,         // the command line, a campaign file or an option is wrong: exit code 64
  input,         // a history or another file given by the user cannot be read: exit code 64
  not_found,     // a file, package, program or name that must exist does not
  permission,    // the operating system or the remote side said no
  unreachable,   // no connection: refused, no route, name unknown
  timeout,       // a deadline passed
  host_key,      // the host's key is unknown or has changed
  auth,          // the host refused our credentials
  disconnected,  // the connection broke while a command ran: nobody knows whether it took effect
  io,            // reading or writing a local file failed (disk full, …)
  remote,        // a command on a node ended with a non-zero exit code
  target,        // the system under test could not be brought up or controlled
  unsupported,   // this machine, kernel or target cannot do it
  cancelled,     // stopped on request
  internal,      // a third-party library failed in a way that should not happen
};

// "usage", "input", … in the spelling of the enumerators.
[[nodiscard]] std::string_view name(ErrorCode code);

struct Error {
  ErrorCode code = ErrorCode::internal;
  // What was found, where (file:line:column, node, key), what was expected, and what to do next.
  std::string message;

  // The same error with what was being done put before the message: "n3: starting etcd: connection refused". A message
  // that begins with it already stays as it is.
  [[nodiscard]] Error during(std::string_view doing) const;
};

template <class T>
using Result = tl::expected<T, Error>;

// fail(ErrorCode::io, "…") converts to any Result<T>.
[[nodiscard]] inline tl::unexpected<Error> fail(ErrorCode code, std::string message) {
  return tl::unexpected<Error>(Error{code, std::move(message)});
}
[[nodiscard]] inline tl::unexpected<Error> fail(Error error) { return tl::unexpected<Error>(std::move(error)); }

namespace internal {
[[noreturn]] void check_failed(const char* condition, const char* file, int line, std::string_view message);
}

// Aborts with the condition, the place and the message when `condition` is false; on in every build.
#define ORDEAL_CHECK(condition, message)                                                           \
  do {                                                                                             \
    if (!(condition)) ::ordeal::internal::check_failed(#condition, __FILE__, __LINE__, (message)); \
  } while (false)

}  // namespace ordeal
