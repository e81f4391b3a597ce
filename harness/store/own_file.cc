#include "harness/store/own_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <string_view>

#include "base/files.h"

namespace ordeal {
namespace {

// Who called sudo, which tells root so: they may do as root what they like already. None: the caller.
uid_t behind_sudo() {
  const char* said = ::geteuid() == 0 ? std::getenv("SUDO_UID") : nullptr;
  uid_t user = ::geteuid();
  if (said == nullptr) return user;
  const std::string_view digits(said);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), user);
  return error == std::errc{} && end == digits.data() + digits.size() ? user : ::geteuid();
}

Result<void> check_one(const std::string& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return fail(system_error("asking whose " + path + " is", errno));
  if (status.st_uid != 0 && status.st_uid != ::geteuid() && status.st_uid != behind_sudo()) {
    return fail(ErrorCode::permission,
                path + " belongs to another user (id " + std::to_string(status.st_uid) + "), who may have written it");
  }
  const bool only_owners_rename = S_ISDIR(status.st_mode) && (status.st_mode & S_ISVTX) != 0;
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) == 0 || only_owners_rename) return {};
  return fail(ErrorCode::permission, path + " can be written by others than its owner (`chmod go-w` ends that)");
}

}  // namespace

Result<void> check_own_file(const std::string& path) {
  std::error_code error;
  std::filesystem::path at = std::filesystem::canonical(path, error);
  if (error) return fail(system_error("opening " + path, error.value()));
  for (; at.has_relative_path(); at = at.parent_path()) {
    if (auto own = check_one(at.string()); !own) return own;
  }
  return check_one("/");
}

}  // namespace ordeal
