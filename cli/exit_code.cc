#include "cli/exit_code.h"

#include <algorithm>

namespace ordeal::cli {

ExitCode exit_code(Verdict verdict) {
  switch (verdict) {
    case Verdict::valid:
      return kValid;
    case Verdict::invalid:
      return kInvalid;
    case Verdict::unknown:
      return kUnknown;
  }
  return kUnknown;
}

ExitCode exit_code(const Error& error) {
  return error.code == ErrorCode::usage || error.code == ErrorCode::input ? kUsage : kRunFailed;
}

ExitCode worst(std::span<const ExitCode> codes) {
  for (const ExitCode code : {kInvalid, kUsage, kRunFailed, kUnknown}) {
    if (std::find(codes.begin(), codes.end(), code) != codes.end()) return code;
  }
  return kValid;
}

}  // namespace ordeal::cli
