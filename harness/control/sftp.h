#pragma once
// Copying files over SFTP.
//
// Both directions write to a temporary file beside the destination and rename it at the end: a broken transfer leaves
// the old file as it was, and a program that is running can be replaced. Relative remote paths start at the login
// directory. Without any progress for kTransferStall it is a timeout; an upload has no other limit.
//
// What comes from a node is what somebody there made of it: only regular files are downloaded, of a file that is longer
// than kMostDownloaded its end (after a line that says so), not more than it held at the beginning, and in
// kDownloadTime.

#include <cstdint>
#include <string>

#include "harness/control/node.h"
#include "harness/control/ssh_session.h"

namespace ordeal {

inline constexpr std::chrono::seconds kTransferStall{30};
inline constexpr std::uint64_t kMostDownloaded = std::uint64_t{128} << 20;
inline constexpr std::chrono::minutes kDownloadTime{2};

// Errors of both: not_found, permission, io (this machine), remote (the other side: disk full, is a directory, …),
// timeout, disconnected.
[[nodiscard]] Result<void> sftp_upload(SshSession& session, const std::string& local, const std::string& remote,
                                       const TransferProgress& progress);
[[nodiscard]] Result<void> sftp_download(SshSession& session, const std::string& remote, const std::string& local,
                                         const TransferProgress& progress);

}  // namespace ordeal
