#include "harness/nodes/node_root.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string_view>

#include "base/descriptor.h"
#include "base/files.h"

namespace ordeal::nodes {

namespace fs = std::filesystem;

namespace {

Result<void> failed(const std::string& doing, int error) {
  const ErrorCode code = error == EPERM || error == EACCES ? ErrorCode::permission : ErrorCode::unsupported;
  return fail(code, doing + ": " + std::strerror(error));
}

Result<void> mount_at(const char* source, const std::string& where, const char* type, unsigned long flags,
                      const std::string& data = "") {
  if (::mount(source, where.c_str(), type, flags, data.empty() ? nullptr : data.c_str()) == 0) return {};
  return failed(std::string("mounting ") + (type != nullptr ? type : source) + " at " + where, errno);
}

// A path inside a mount option: ',' and ':' separate there, '\' quotes.
std::string quoted(const std::string& path) {
  std::string out;
  for (const char c : path) {
    if (c == ',' || c == ':' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

bool is_within(const std::string& path, const std::string& directory) {
  if (directory == "/") return true;
  return path == directory || path.starts_with(directory + "/");
}

// Builds overlays whose upper halves are in `storage`; each gets a pair of directories of its own there. `disk` is the
// directory that holds the storage of all clusters, empty when that of this node is in memory.
class OverlayTree {
 public:
  OverlayTree(std::string storage, std::string disk) : storage_(std::move(storage)), disk_(std::move(disk)) {}

  // Shows the directory `lower` at `target`, writable. The kernel refuses an overlay whose upper half lies inside its
  // lower half; a directory that contains the storage is therefore taken apart and its entries are shown one by one.
  Result<void> show(const std::string& lower, const std::string& target) {
    struct stat lower_stat {};
    if (::stat(lower.c_str(), &lower_stat) != 0) return failed("reading " + lower, errno);
    if (!disk_.empty() && is_within(disk_, lower)) return take_apart(lower, target);

    const std::string number = std::to_string(count_++);
    const std::string upper = storage_ + "/" + number + ".upper";
    const std::string work = storage_ + "/" + number + ".work";
    ::mkdir(upper.c_str(), 0755);
    ::mkdir(work.c_str(), 0755);
    // The root of an overlay has owner and mode of its upper directory.
    if (::chown(upper.c_str(), lower_stat.st_uid, lower_stat.st_gid) != 0 ||
        ::chmod(upper.c_str(), lower_stat.st_mode & 07777) != 0) {
      return failed("preparing " + upper, errno);
    }
    auto done = mount_at("overlay", target, "overlay", 0,
                         "lowerdir=" + quoted(lower) + ",upperdir=" + quoted(upper) + ",workdir=" + quoted(work));
    if (done || lower == "/") return explained(std::move(done));
    // Some file systems cannot be overlaid; what is on them can at least be read.
    if (auto bound = mount_at(lower.c_str(), target, nullptr, MS_BIND); !bound) return done;
    return mount_at(lower.c_str(), target, nullptr, MS_BIND | MS_REMOUNT | MS_RDONLY);
  }

 private:
  static Result<void> explained(Result<void> done) {
    if (done) return done;
    return fail(done.error().code,
                done.error().message +
                    ". A local node needs an overlay over /. Inside a container this needs a privileged one, and no "
                    "more than one overlay below it: run Ordeal on the machine itself, or use hosts of an inventory "
                    "(--nodes ssh:FILE)");
  }

  Result<void> take_apart(const std::string& lower, const std::string& target) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(lower, error)) {
      const std::string name = entry.path().filename().string();
      const std::string from = lower == "/" ? "/" + name : lower + "/" + name;
      const std::string to = target + "/" + name;
      if (lower == disk_ && name.starts_with(kStoragePrefix)) continue;
      struct stat status {};
      if (::lstat(from.c_str(), &status) != 0) continue;  // it vanished meanwhile
      if (S_ISLNK(status.st_mode)) {
        fs::copy_symlink(from, to, error);
      } else if (S_ISREG(status.st_mode)) {
        fs::copy_file(from, to, error);
      } else if (S_ISDIR(status.st_mode)) {
        ::mkdir(to.c_str(), 0755);
        if (::chown(to.c_str(), status.st_uid, status.st_gid) != 0 ||
            ::chmod(to.c_str(), status.st_mode & 07777) != 0) {
          return failed("preparing " + to, errno);
        }
        if (auto done = show(from, to); !done) return done;
      }
    }
    return {};
  }

  std::string storage_;
  std::string disk_;
  int count_ = 0;
};

Result<void> make_proc_and_sys(const std::string& root) {
  const std::string proc = root + "/proc";
  static constexpr unsigned long kPlain = MS_NOSUID | MS_NODEV | MS_NOEXEC;
  if (auto done = mount_at("proc", proc, "proc", kPlain); !done) return done;
  // First the part that stays writable gets a mount of its own, then the whole becomes read-only.
  for (const char* path : {"/sys", "/sys/net"}) {
    if (auto done = mount_at((proc + path).c_str(), proc + path, nullptr, MS_BIND); !done) return done;
  }
  for (const char* path : {"/sys", "/sysrq-trigger"}) {
    const std::string whole = proc + path;
    if (!fs::exists(whole)) continue;
    if (std::string_view(path) != "/sys") {
      if (auto done = mount_at(whole.c_str(), whole, nullptr, MS_BIND); !done) return done;
    }
    if (auto done = mount_at(nullptr, whole, nullptr, MS_BIND | MS_REMOUNT | MS_RDONLY | kPlain); !done) {
      return fail(done.error().during("making " + whole + " read-only"));
    }
  }
  return mount_at("sysfs", root + "/sys", "sysfs", kPlain | MS_RDONLY);
}

Result<void> make_dev(const std::string& root) {
  const std::string dev = root + "/dev";
  if (auto done = mount_at("tmpfs", dev, "tmpfs", MS_NOSUID | MS_STRICTATIME, "mode=755"); !done) return done;
  struct Device {
    const char* name;
    unsigned major, minor;
    mode_t mode;
  };
  static constexpr std::array<Device, 7> kDevices = {{{"null", 1, 3, 0666},
                                                      {"zero", 1, 5, 0666},
                                                      {"full", 1, 7, 0666},
                                                      {"random", 1, 8, 0666},
                                                      {"urandom", 1, 9, 0666},
                                                      {"tty", 5, 0, 0666},
                                                      {"fuse", 10, 229, 0666}}};
  for (const Device& device : kDevices) {
    const std::string path = dev + "/" + device.name;
    if (::mknod(path.c_str(), S_IFCHR | device.mode, makedev(device.major, device.minor)) != 0 ||
        ::chmod(path.c_str(), device.mode) != 0) {
      return failed("making the device " + path, errno);
    }
  }
  const std::pair<const char*, const char*> links[] = {{"pts/ptmx", "/ptmx"},
                                                       {"/proc/self/fd", "/fd"},
                                                       {"/proc/self/fd/0", "/stdin"},
                                                       {"/proc/self/fd/1", "/stdout"},
                                                       {"/proc/self/fd/2", "/stderr"}};
  for (const auto& [to, name] : links) {
    if (::symlink(to, (dev + name).c_str()) != 0) return failed("making " + dev + name, errno);
  }
  for (const char* name : {"/pts", "/shm"}) ::mkdir((dev + name).c_str(), 0755);
  if (auto done =
          mount_at("devpts", dev + "/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=620,gid=5");
      !done) {
    return done;
  }
  return mount_at("tmpfs", dev + "/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777");
}

Result<void> make_tmp_and_run(const std::string& root) {
  for (const char* name : {"/tmp", "/run"}) {
    std::error_code ignored;
    fs::create_directory(root + name, ignored);
  }
  if (auto done = mount_at("tmpfs", root + "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777"); !done) return done;
  if (auto done = mount_at("tmpfs", root + "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755"); !done) return done;
  ::mkdir((root + "/run/sshd").c_str(), 0755);
  const std::string lock = root + "/run/lock";
  if (::mkdir(lock.c_str(), 0755) == 0 && ::chmod(lock.c_str(), 01777) != 0) return failed("preparing " + lock, errno);
  // Directories of services that run as somebody else (/run/postgresql, …): packages make them, services need them.
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/run", error)) {
    struct stat status {};
    if (::lstat(entry.path().c_str(), &status) != 0 || !S_ISDIR(status.st_mode) || status.st_uid == 0) continue;
    const std::string path = root + entry.path().string();
    ::mkdir(path.c_str(), 0755);
    if (::chown(path.c_str(), status.st_uid, status.st_gid) != 0 ||
        ::chmod(path.c_str(), status.st_mode & 07777) != 0) {
      return failed("preparing " + path, errno);
    }
  }
  return {};
}

Result<void> write_files(const std::vector<NodeFile>& files) {
  for (const NodeFile& file : files) {
    std::error_code ignored;
    fs::create_directories(fs::path(file.path).parent_path(), ignored);
    fs::remove(file.path, ignored);  // it may be a symlink, as /etc/hosts is on some systems
    const Descriptor out(::open(file.path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, file.mode));
    if (!out) return failed("writing " + file.path, errno);
    if (auto written = write_all(out.get(), file.text, file.path); !written) return written;
  }
  return {};
}

Result<void> pivot(const std::string& root) {
  if (::chdir(root.c_str()) != 0) return failed("entering " + root, errno);
  // The old root is put on top of the new one and then let go of, so that no directory for it is needed.
  if (::syscall(SYS_pivot_root, ".", ".") != 0) return failed("changing the root to " + root, errno);
  if (::umount2(".", MNT_DETACH) != 0) return failed("letting go of the old root", errno);
  if (::chdir("/") != 0) return failed("entering the new root", errno);
  return {};
}

// \040 and the like: how mountinfo writes spaces in paths.
std::string unescaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      out += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

}  // namespace

std::vector<std::string> mounts_to_overlay(const std::string& mountinfo) {
  std::vector<std::string> found;
  std::istringstream lines(mountinfo);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string skipped;
    std::string path;
    std::string type;
    words >> skipped >> skipped >> skipped >> skipped >> path;
    while (words >> type && type != "-") {
    }
    words >> type;
    path = unescaped(path);
    const auto hidden = [&](const char* top) { return is_within(path, top); };
    static constexpr std::array<const char*, 5> kOwn = {"/proc", "/sys", "/dev", "/run", "/tmp"};
    if (path.empty() || std::any_of(kOwn.begin(), kOwn.end(), hidden)) continue;
    static constexpr std::array<std::string_view, 8> kPseudo = {"proc",    "sysfs",  "devtmpfs", "devpts",
                                                                "cgroup2", "cgroup", "autofs",   "binfmt_misc"};
    if (std::find(kPseudo.begin(), kPseudo.end(), type) != kPseudo.end()) continue;
    if (std::find(found.begin(), found.end(), path) == found.end()) found.push_back(path);
  }
  // An outer file system must be there before an inner one can be put on it.
  std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.size() < b.size(); });
  return found;
}

Result<void> enter_node_root(const NodeRootOptions& options) {
  // Before anything else: from here on nothing that is mounted here is seen on this machine.
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return failed("making mounts private", errno);

  std::ifstream file("/proc/self/mountinfo");
  std::stringstream mountinfo;
  mountinfo << file.rdbuf();
  const std::vector<std::string> mounts = mounts_to_overlay(mountinfo.str());

  std::string storage = options.storage;
  if (storage.empty()) {
    // Hides this machine's /tmp, which no node sees anyway.
    storage = "/tmp";
    if (auto done = mount_at("tmpfs", storage, "tmpfs", 0, "mode=755"); !done) return done;
  }
  const std::string root = storage + "/root";
  ::mkdir(root.c_str(), 0755);
  // pivot_root wants a mount point, also where the root is taken apart.
  if (auto done = mount_at(root.c_str(), root, nullptr, MS_BIND); !done) return done;
  OverlayTree tree(storage, options.storage.empty() ? "" : options.disk);
  for (const std::string& path : mounts) {
    const std::string target = path == "/" ? root : root + path;
    if (!fs::is_directory(path) || !fs::is_directory(target)) continue;
    if (auto done = tree.show(path, target); !done) return done;
  }
  for (const auto& make : {make_proc_and_sys, make_dev, make_tmp_and_run}) {
    if (auto done = make(root); !done) return done;
  }
  if (auto done = pivot(root); !done) return done;
  return write_files(options.files);
}

}  // namespace ordeal::nodes
