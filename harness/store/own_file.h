#pragma once
// Whether a file is one's own: nobody but the caller and root can have written it or put another in its place.
//
// What a ledger or an inventory says is done, as root, on machines; so it is asked where they come from, as sshd asks
// of the files of keys that it trusts. Thread-safety: pure functions.

#include <string>

#include "base/error.h"

namespace ordeal {

// The file and every directory above it, links followed: owned by the caller, by root, or, for root, by who called
// sudo; writable by nobody else, except directories in which only owners may rename (/tmp). Errors: permission, which
// names the first that is not so and why; not_found, io.
[[nodiscard]] Result<void> check_own_file(const std::string& path);

}  // namespace ordeal
