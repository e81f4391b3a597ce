#include "base/error.h"

#include <cstdio>
#include <cstdlib>

namespace ordeal {

std::string_view name(ErrorCode code) {
  switch (code) {
    case ErrorCode::usage:
      return "usage";
    case ErrorCode::input:
      return "input";
    case ErrorCode::not_found:
      return "not_found";
    case ErrorCode::permission:
      return "permission";
    case ErrorCode::unreachable:
      return "unreachable";
    case ErrorCode::timeout:
      return "timeout";
    case ErrorCode::host_key:
      return "host_key";
    case ErrorCode::auth:
      return "auth";
    case ErrorCode::disconnected:
      return "disconnected";
    case ErrorCode::io:
      return "io";
    case ErrorCode::remote:
      return "remote";
    case ErrorCode::target:
      return "target";
    case ErrorCode::unsupported:
      return "unsupported";
    case ErrorCode::cancelled:
      return "cancelled";
    case ErrorCode::internal:
      return "internal";
  }
  return "internal";
}

Error Error::during(std::string_view doing) const {
  if (message.size() > doing.size() && message.starts_with(doing) && message[doing.size()] == ':') return *this;
  std::string text(doing);
  text += ": ";
  text += message;
  return Error{code, std::move(text)};
}

namespace internal {

void check_failed(const char* condition, const char* file, int line, std::string_view message) {
  std::fprintf(stderr, "ordeal: broken invariant %s at %s:%d: %.*s\n", condition, file, line,
               static_cast<int>(message.size()), message.data());
  std::abort();
}

}  // namespace internal
}  // namespace ordeal
