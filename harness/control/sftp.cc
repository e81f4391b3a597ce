#include "harness/control/sftp.h"

#include <fcntl.h>
#include <libssh2.h>
#include <libssh2_sftp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <optional>
#include <system_error>
#include <vector>

#include "base/descriptor.h"
#include "base/files.h"
#include "harness/control/ssh_exec.h"

namespace ordeal {
namespace {

// libssh2 splits a write into packets of 30 kB and sends them all before it waits for the first answer; and it reads
// ahead four times the size of a read. So the buffer decides how much of the line's delay is hidden.
constexpr std::size_t kBuffer = 512U << 10U;

std::string_view text_of_status(unsigned long status) {
  static constexpr std::array<std::string_view, 22> kTexts = {
      "no error",
      "end of file",
      "no such file or directory",
      "permission denied",
      "the operation failed (disk full? a directory in the way?)",
      "bad message",
      "no connection",
      "connection lost",
      "not supported by the server",
      "invalid handle",
      "no such path",
      "file already exists",
      "write-protected",
      "no media",
      "no space left on the file system",
      "quota exceeded",
      "unknown principal",
      "lock conflict",
      "directory not empty",
      "not a directory",
      "invalid file name",
      "too many symbolic links"};
  return status < kTexts.size() ? kTexts[status] : "unknown SFTP error";
}

// Distinguishes the temporary files of concurrent transfers.
std::string temporary_name(const std::string& path) {
  static std::atomic<unsigned> counter{0};
  return path + ".ordeal-" + std::to_string(::getpid()) + "-" + std::to_string(++counter);
}

// The calls of libssh2's SFTP that a transfer needs, with deadlines and errors.
class Sftp {
 public:
  static Result<Sftp> open(SshSession& session) {
    auto raw = session.sftp(stall());
    if (!raw) return fail(raw.error());
    return Sftp(session, *raw);
  }

  Result<LIBSSH2_SFTP_HANDLE*> open_file(const std::string& path, unsigned long flags, long mode) {
    auto handle = session_.complete_open(
        [&] {
          return libssh2_sftp_open_ex(sftp_, path.data(), static_cast<unsigned>(path.size()), flags, mode,
                                      LIBSSH2_SFTP_OPENFILE);
        },
        stall());
    if (!handle) return fail(handle.error());
    if (*handle == nullptr) return fail(error(session_.last_errno(), "opening " + path));
    return handle;
  }

  // Runs a call that answers 0 or a negative error.
  template <class Call>
  Result<void> call(const std::string& doing, Call&& function) {
    auto rc = session_.complete([&]() -> long { return function(); }, stall());
    if (!rc) {
      stuck_ = true;
      return fail(rc.error().during(doing));
    }
    if (*rc != 0) return fail(error(*rc, doing));
    return {};
  }
  // Runs a call that answers a number of bytes or a negative error.
  template <class Call>
  Result<std::size_t> transfer(const std::string& doing, Call&& function) {
    auto rc = session_.complete([&]() -> long { return function(); }, stall());
    if (!rc) {
      stuck_ = true;
      return fail(rc.error().during(doing));
    }
    if (*rc < 0) return fail(error(*rc, doing));
    return static_cast<std::size_t>(*rc);
  }

  Result<void> rename(const std::string& from, const std::string& to) {
    return call("renaming " + from + " to " + to, [&] {
      return libssh2_sftp_rename_ex(sftp_, from.data(), static_cast<unsigned>(from.size()), to.data(),
                                    static_cast<unsigned>(to.size()), LIBSSH2_SFTP_RENAME_OVERWRITE);
    });
  }
  // Empty if there is no such file.
  std::optional<LIBSSH2_SFTP_ATTRIBUTES> stat(const std::string& path) {
    LIBSSH2_SFTP_ATTRIBUTES attributes{};
    const auto done = call("looking at " + path, [&] {
      return libssh2_sftp_stat_ex(sftp_, path.data(), static_cast<unsigned>(path.size()), LIBSSH2_SFTP_STAT,
                                  &attributes);
    });
    if (!done) return std::nullopt;
    return attributes;
  }
  void remove(const std::string& path) {
    (void)call("removing " + path,
               [&] { return libssh2_sftp_unlink_ex(sftp_, path.data(), static_cast<unsigned>(path.size())); });
  }

  // After a time-out answers may still be under way: nothing more is to be asked on this session.
  [[nodiscard]] bool stuck() const { return stuck_ || session_.broken(); }

  void abandon_session() { session_.abandon(); }

  static Deadline stall() { return Deadline::after(kTransferStall); }

 private:
  Sftp(SshSession& session, LIBSSH2_SFTP* sftp) : session_(session), sftp_(sftp) {}

  Error error(long rc, const std::string& doing) {
    if (rc != LIBSSH2_ERROR_SFTP_PROTOCOL) return session_.error_of(rc, doing);
    const unsigned long status = libssh2_sftp_last_error(sftp_);
    const ErrorCode code = status == LIBSSH2_FX_NO_SUCH_FILE || status == LIBSSH2_FX_NO_SUCH_PATH ? ErrorCode::not_found
                           : status == LIBSSH2_FX_PERMISSION_DENIED ? ErrorCode::permission
                                                                    : ErrorCode::remote;
    return {code, session_.who() + ": " + doing + ": " + std::string(text_of_status(status))};
  }

  SshSession& session_;
  LIBSSH2_SFTP* sftp_;
  bool stuck_ = false;
};

// Closes a remote file; close() reports what the server says, the destructor does its best.
class RemoteFile {
 public:
  RemoteFile(Sftp& sftp, LIBSSH2_SFTP_HANDLE* handle, std::string path)
      : sftp_(sftp), handle_(handle), path_(std::move(path)) {}
  RemoteFile(const RemoteFile&) = delete;
  RemoteFile& operator=(const RemoteFile&) = delete;
  ~RemoteFile() {
    if (handle_ == nullptr) return;
    // libssh2 frees what the handle holds only here, so a dead session closes it too; it must not wait for answers.
    if (sftp_.stuck()) sftp_.abandon_session();
    (void)close();
  }
  [[nodiscard]] LIBSSH2_SFTP_HANDLE* raw() const { return handle_; }
  Result<void> close() {
    auto* handle = handle_;
    handle_ = nullptr;
    return sftp_.call("closing " + path_, [&] { return libssh2_sftp_close_handle(handle); });
  }

 private:
  Sftp& sftp_;
  LIBSSH2_SFTP_HANDLE* handle_;
  std::string path_;
};

Result<void> send_contents(Sftp& sftp, RemoteFile& target, int fd, std::uint64_t total, const std::string& local,
                           const std::string& remote, const TransferProgress& progress) {
  std::vector<char> buffer(kBuffer);
  std::uint64_t done = 0;
  for (;;) {
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(system_error("reading " + local, errno));
    if (got == 0) break;
    for (std::size_t sent = 0; sent < static_cast<std::size_t>(got);) {
      auto n = sftp.transfer("writing " + remote, [&] {
        return libssh2_sftp_write(target.raw(), buffer.data() + sent, static_cast<std::size_t>(got) - sent);
      });
      if (!n) return fail(n.error());
      sent += *n;
      done += *n;
      if (progress) progress(done, std::max(done, total));
    }
  }
  if (done == 0 && progress) progress(0, total);
  return {};
}

// SFTP's rename refuses to replace a file (libssh2 1.10 does not know OpenSSH's posix-rename): then mv does it.
Result<void> put_in_place(SshSession& session, Sftp& sftp, const std::string& temporary, const std::string& remote) {
  if (const auto there = sftp.stat(remote)) {
    if (LIBSSH2_SFTP_S_ISDIR(there->permissions)) {
      return fail(ErrorCode::remote, session.who() + ": " + remote + " is a directory: name the file");
    }
    const Command command("mv -f -- " + shell_quote(temporary) + " " + shell_quote(remote));
    ExecProgress progress;
    auto moved = execute(session, {command, false, {}}, Sftp::stall(), Sftp::stall(), progress);
    if (!moved) return fail(moved.error());
    if (moved->exit_code != 0)
      return fail(ErrorCode::remote, session.who() + ": replacing " + remote + ": " + moved->err);
    return {};
  }
  return sftp.rename(temporary, remote);
}

}  // namespace

Result<void> sftp_upload(SshSession& session, const std::string& local, const std::string& remote,
                         const TransferProgress& progress) {
  const Descriptor file(::open(local.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return fail(system_error("opening " + local, errno));
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) return fail(system_error("looking at " + local, errno));
  if (!S_ISREG(info.st_mode)) return fail(ErrorCode::io, local + " is not a regular file");

  auto sftp = Sftp::open(session);
  if (!sftp) return fail(sftp.error());
  const std::string temporary = temporary_name(remote);
  auto handle = sftp->open_file(temporary, LIBSSH2_FXF_WRITE | LIBSSH2_FXF_CREAT | LIBSSH2_FXF_TRUNC, 0600);
  if (!handle) return fail(handle.error().during("uploading to " + remote));
  RemoteFile target(*sftp, *handle, temporary);
  const auto finish = [&]() -> Result<void> {
    auto sent =
        send_contents(*sftp, target, file.get(), static_cast<std::uint64_t>(info.st_size), local, remote, progress);
    if (!sent) return sent;
    LIBSSH2_SFTP_ATTRIBUTES attributes{};
    attributes.flags = LIBSSH2_SFTP_ATTR_PERMISSIONS;
    attributes.permissions = info.st_mode & 07777U;
    auto moded =
        sftp->call("setting the mode of " + remote, [&] { return libssh2_sftp_fsetstat(target.raw(), &attributes); });
    if (!moded) return moded;
    if (auto closed = target.close(); !closed) return closed;
    return put_in_place(session, *sftp, temporary, remote);
  };
  auto finished = finish();
  if (!finished && !sftp->stuck()) sftp->remove(temporary);
  return finished;
}

Result<void> sftp_download(SshSession& session, const std::string& remote, const std::string& local,
                           const TransferProgress& progress) {
  auto sftp = Sftp::open(session);
  if (!sftp) return fail(sftp.error());
  auto handle = sftp->open_file(remote, LIBSSH2_FXF_READ, 0);
  if (!handle) return fail(handle.error());
  RemoteFile source(*sftp, *handle, remote);
  LIBSSH2_SFTP_ATTRIBUTES attributes{};
  if (auto looked = sftp->call("looking at " + remote, [&] { return libssh2_sftp_fstat(source.raw(), &attributes); });
      !looked) {
    return looked;
  }
  if (LIBSSH2_SFTP_S_ISDIR(attributes.permissions)) {
    return fail(ErrorCode::remote, session.who() + ": " + remote + " is a directory, not a file");
  }
  if (!LIBSSH2_SFTP_S_ISREG(attributes.permissions))
    return fail(ErrorCode::remote, session.who() + ": " + remote + " is not a regular file");
  const std::uint64_t size = attributes.filesize, begin = size > kMostDownloaded ? size - kMostDownloaded : 0;
  const Deadline until = Deadline::after(kDownloadTime);

  const std::string temporary = temporary_name(local);
  Descriptor file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!file) return fail(system_error("creating " + temporary, errno));
  const auto receive = [&]() -> Result<void> {
    if (begin > 0) {
      const std::string said = "[ordeal: the first " + std::to_string(begin) + " bytes are left out]\n";
      if (auto written = write_all(file.get(), said, local); !written) return written;
      libssh2_sftp_seek64(source.raw(), begin);
    }
    std::vector<char> buffer(kBuffer);
    std::uint64_t done = begin;
    // What a log grows by while it is read is left out: it may grow faster than it is read.
    while (done < size) {
      if (until.passed())
        return fail(ErrorCode::timeout, session.who() + ": reading " + remote + ": it takes too long");
      const std::size_t wanted = static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), size - done));
      auto n =
          sftp->transfer("reading " + remote, [&] { return libssh2_sftp_read(source.raw(), buffer.data(), wanted); });
      if (!n) return fail(n.error());
      if (*n == 0) break;  // it has become shorter
      if (auto written = write_all(file.get(), {buffer.data(), *n}, local); !written) return written;
      done += *n;
      if (progress) progress(done, size);
    }
    if (done == begin && progress) progress(0, 0);
    return {};
  };
  auto received = receive();
  // A full disk may show only when the file is closed.
  if (received && ::close(file.release()) != 0) received = fail(system_error("writing " + local, errno));
  if (received && ::rename(temporary.c_str(), local.c_str()) != 0)
    received = fail(system_error("creating " + local, errno));
  if (!received) (void)::unlink(temporary.c_str());
  return received;
}

}  // namespace ordeal
