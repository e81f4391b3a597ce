#pragma once
// Copying files over SFTP.
//
// Both directions write to a temporary file beside the destination and rename it at the end: a broken transfer leaves
// the old file as it was, and a program that is running can be replaced. Relative remote paths start at the login
// directory. There is no limit on the whole transfer, but without any progress for kTransferStall it is a timeout.

#include <string>

#include "harness/control/node.h"
#include "harness/control/ssh_session.h"

namespace ordeal {

inline constexpr std::chrono::seconds kTransferStall{30};

// Errors of both: not_found, permission, io (this machine), remote (the other side: disk full, is a directory, …),
// timeout, disconnected.
[[nodiscard]] Result<void> sftp_upload(SshSession& session, const std::string& local, const std::string& remote,
                                       const TransferProgress& progress);
[[nodiscard]] Result<void> sftp_download(SshSession& session, const std::string& remote, const std::string& local,
                                         const TransferProgress& progress);

}  // namespace ordeal
