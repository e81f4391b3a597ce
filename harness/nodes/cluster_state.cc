#include "harness/nodes/cluster_state.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/files.h"
#include "base/value.h"
#include "harness/nodes/memory_group.h"
#include "harness/nodes/node_root.h"

namespace ordeal::nodes {

namespace fs = std::filesystem;

namespace {

std::string text_of(const Value& map, const char* key) {
  const Value* found = map.find(key);
  return found != nullptr && found->is_string() ? found->string() : std::string();
}

std::int64_t number_of(const Value& map, const char* key) {
  const Value* found = map.find(key);
  return found != nullptr && found->is_integer() ? found->integer() : 0;
}

ErrorCode code_of(int error) { return error == EACCES || error == EPERM ? ErrorCode::permission : ErrorCode::io; }

Result<void> write_private_file(const std::string& path, const std::string& text) {
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!file) return fail(system_error("writing " + path, errno));
  return write_all(file.get(), text, path);
}

// Tries to lock the directory. Not held: it does not exist or its keeper lives; `exists` tells which.
DirectoryLock try_lock(const std::string& directory, bool& exists) {
  Descriptor opened(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  exists = static_cast<bool>(opened);
  if (!opened || ::flock(opened.get(), LOCK_EX | LOCK_NB) != 0) return {};
  return DirectoryLock(std::move(opened));
}

// What a keeper that was killed leaves on disk: its directory, and the storage directory it names.
void remove_stale(const std::string& directory) {
  const auto state = ClusterState::from_json(read_text_file(directory + "/cluster.json").value_or(""));
  // Whatever the file says, only a directory of a keeper's making is removed.
  if (state && fs::path(state->storage).filename().string().starts_with(kStoragePrefix)) {
    std::error_code ignored;
    fs::remove_all(state->storage, ignored);
  }
  if (state && !state->memory_group.empty()) remove_memory_group(state->memory_group);
  remove_directory(directory);
}

// Keys are written beneath it, and what is stale there removed: it must not be somebody else's to arrange.
Result<void> check_runtime_directory(const std::string& directory) {
  struct stat status {};
  if (::stat(directory.c_str(), &status) != 0) return {};  // whoever makes it complains
  const bool ours = status.st_uid == ::geteuid() || status.st_uid == 0;
  if (ours && ((status.st_mode & 022) == 0 || (status.st_mode & S_ISVTX) != 0)) return {};
  return fail(ErrorCode::permission, "the directory for clusters, " + directory +
                                         ", belongs to somebody else or can be written by others; name another one "
                                         "with ORDEAL_RUNTIME_DIR");
}

Result<ClusterState> read_state(const std::string& directory) {
  const std::string path = directory + "/cluster.json";
  const auto text = read_text_file(path);
  if (!text) return fail(ErrorCode::not_found, path + ": cannot be read (the cluster may still be starting)");
  auto state = ClusterState::from_json(*text);
  if (!state) return fail(state.error().during(path));
  state->directory = directory;
  return state;
}

}  // namespace

const LocalNode* ClusterState::find(const std::string& node) const {
  const auto found = std::find_if(nodes.begin(), nodes.end(), [&](const LocalNode& n) { return n.name == node; });
  return found == nodes.end() ? nullptr : &*found;
}

std::string ClusterState::to_json() const {
  Value list = Value::list();
  for (const LocalNode& node : nodes) {
    Value item = Value::map();
    item.set("name", node.name);
    item.set("address", node.address);
    item.set("address6", node.address6);
    item.set("pid", static_cast<std::int64_t>(node.pid));
    item.set("host_key", node.host_key);
    list.items().push_back(std::move(item));
  }
  Value all = Value::map();
  all.set("name", name);
  all.set("directory", directory);
  all.set("keeper", static_cast<std::int64_t>(keeper));
  all.set("up_since", up_since);
  all.set("storage", storage);
  all.set("memory_group", memory_group);
  all.set("hub_address", hub_address);
  all.set("nodes", std::move(list));
  return all.to_json();
}

Result<ClusterState> ClusterState::from_json(const std::string& text) {
  const auto value = Value::from_json(text);
  if (!value) return fail(value.error());
  const Value* nodes = value->find("nodes");
  if (nodes == nullptr || !nodes->is_list()) return fail(ErrorCode::input, "expected a map with a list \"nodes\"");
  ClusterState state;
  state.name = text_of(*value, "name");
  state.directory = text_of(*value, "directory");
  state.keeper = static_cast<pid_t>(number_of(*value, "keeper"));
  state.up_since = number_of(*value, "up_since");
  state.storage = text_of(*value, "storage");
  state.memory_group = text_of(*value, "memory_group");
  state.hub_address = text_of(*value, "hub_address");
  for (const Value& item : nodes->items()) {
    state.nodes.push_back({text_of(item, "name"), text_of(item, "address"), text_of(item, "address6"),
                           static_cast<pid_t>(number_of(item, "pid")), text_of(item, "host_key")});
  }
  return state;
}

std::string default_runtime_directory() {
  if (const char* own = std::getenv("ORDEAL_RUNTIME_DIR"); own != nullptr && *own != '\0') {
    return fs::absolute(own).lexically_normal().string();
  }
  if (const char* xdg = std::getenv("XDG_RUNTIME_DIR"); xdg != nullptr && *xdg == '/')
    return std::string(xdg) + "/ordeal";
  if (::geteuid() == 0 && fs::is_directory("/run")) return "/run/ordeal";
  return "/tmp/ordeal-" + std::to_string(::geteuid());
}

Result<void> check_cluster_name(const std::string& name) {
  const auto plain = [](unsigned char c) { return std::isalnum(c) != 0 || c == '.' || c == '_' || c == '-'; };
  if (!name.empty() && name.size() <= 64 && name[0] != '.' && name[0] != '-' &&
      std::all_of(name.begin(), name.end(), plain)) {
    return {};
  }
  return fail(ErrorCode::usage, "\"" + name +
                                    "\" is no name for a cluster: expected up to 64 letters, digits, '.', '_' "
                                    "and '-', beginning with a letter, digit or '_'");
}

Result<DirectoryLock> claim_directory(const std::string& directory) {
  const fs::path parent = fs::path(directory).parent_path();
  // The runtime directory vanishes with its last cluster, so that making ours may have to begin anew.
  for (int attempt = 0; attempt < 50; ++attempt) {
    std::error_code error;
    if (fs::create_directories(parent, error)) fs::permissions(parent, fs::perms::owner_all, error);
    if (auto ours = check_runtime_directory(parent.string()); !ours) return fail(ours.error());
    const bool made = ::mkdir(directory.c_str(), 0700) == 0;
    if (!made && errno != EEXIST && errno != ENOENT) {
      return fail(code_of(errno), "making the cluster's directory " + directory + ": " + std::strerror(errno));
    }
    bool exists = false;
    DirectoryLock lock = try_lock(directory, exists);
    if (made && lock.held()) {
      if (fs::exists(directory)) return lock;
      continue;  // somebody took it for stale in the moment before we locked it
    }
    if (lock.held()) {
      remove_stale(directory);
    } else if (exists && !made) {
      return fail(ErrorCode::usage, "a cluster named \"" + fs::path(directory).filename().string() +
                                        "\" is up already; take it down with `ordeal nodes down` or choose another "
                                        "name with --name");
    }
  }
  return fail(ErrorCode::io, "making the cluster's directory " + directory + ": others keep removing it");
}

Result<void> write_cluster_files(const ClusterState& state, const std::string& private_key) {
  std::string known_hosts;
  for (const LocalNode& node : state.nodes) {
    known_hosts += node.name + "," + node.address + (node.address6.empty() ? "" : "," + node.address6) + " " +
                   node.host_key + "\n";
  }
  const std::pair<std::string, std::string> files[] = {{state.identity_file(), private_key},
                                                       {state.known_hosts_file(), known_hosts},
                                                       {state.inventory_file(), inventory_text(state)},
                                                       {state.ssh_config_file(), ssh_config_text(state)},
                                                       {state.directory + "/cluster.json", state.to_json() + "\n"}};
  for (const auto& [path, text] : files) {
    if (auto done = write_private_file(path, text); !done) return done;
  }
  return {};
}

void remove_directory(const std::string& directory) {
  std::error_code ignored;
  fs::remove_all(directory, ignored);
  const fs::path parent = fs::path(directory).parent_path();
  // Only ours is removed, and only when empty.
  if (parent.filename().string().starts_with("ordeal")) ::rmdir(parent.c_str());
}

std::string inventory_text(const ClusterState& state) {
  std::string text = "# The local cluster \"" + state.name + "\": use it with --nodes ssh:" + state.inventory_file() +
                     "\nnetwork-namespace=" + state.network_namespace() + "\n";
  for (const LocalNode& node : state.nodes) {
    text += node.name + " host=" + node.address + " user=root identity=\"" + state.identity_file() +
            "\" known_hosts=\"" + state.known_hosts_file() + "\" agent=no config=none\n";
  }
  return text;
}

std::string ssh_config_text(const ClusterState& state) {
  std::string text = "# Works inside the network namespace " + state.network_namespace() + "\n";
  for (const LocalNode& node : state.nodes) {
    text += "Host " + node.name + "\n  HostName " + node.address + "\n";
  }
  return text + "Host *\n  User root\n  IdentityFile \"" + state.identity_file() +
         "\"\n  IdentitiesOnly yes\n  UserKnownHostsFile \"" + state.known_hosts_file() +
         "\"\n  GlobalKnownHostsFile /dev/null\n  StrictHostKeyChecking yes\n  LogLevel ERROR\n";
}

bool is_up(const std::string& directory) {
  bool exists = false;
  const DirectoryLock lock = try_lock(directory, exists);
  return exists && !lock.held();
}

std::vector<ClusterState> list_clusters(const std::string& runtime_directory, std::vector<std::string>* cleaned) {
  std::vector<ClusterState> up;
  std::vector<std::string> stale;
  std::error_code error;
  if (!check_runtime_directory(runtime_directory)) return up;
  for (const auto& entry : fs::directory_iterator(runtime_directory, error)) {
    const std::string directory = entry.path().string();
    if (!check_cluster_name(entry.path().filename().string()) || !fs::is_directory(entry.symlink_status())) continue;
    bool exists = false;
    const DirectoryLock lock = try_lock(directory, exists);
    if (lock.held()) {
      // Only what a keeper made is removed; somebody may have pointed the runtime directory at other things.
      if (!fs::exists(directory + "/cluster.json")) continue;
      stale.push_back(directory);
      remove_stale(directory);
    } else if (auto state = read_state(directory)) {
      up.push_back(std::move(*state));
    }
  }
  if (cleaned != nullptr) {
    for (const std::string& directory : stale) cleaned->push_back(fs::path(directory).filename().string());
  }
  std::sort(up.begin(), up.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return up;
}

Result<ClusterState> find_cluster(const std::string& runtime_directory, const std::string& name) {
  if (auto valid = check_cluster_name(name); !valid) return fail(valid.error());
  std::string known;
  for (ClusterState& state : list_clusters(runtime_directory)) {
    if (state.name == name) return std::move(state);
    known += (known.empty() ? "" : ", ") + state.name;
  }
  return fail(ErrorCode::not_found, "no local cluster named \"" + name + "\" is up; " +
                                        (known.empty() ? "none is: start one with `ordeal nodes up`" : "up: " + known));
}

Result<void> take_down(const ClusterState& state) {
  static constexpr int kGraceMs = 5'000;
  const Descriptor keeper(static_cast<int>(::syscall(SYS_pidfd_open, state.keeper, 0)));
  const std::string doing = "taking down " + state.name;
  // The lock proves that the keeper lived after its pidfd was opened, hence that the pid is not somebody else's.
  if (keeper && is_up(state.directory)) {
    if (::syscall(SYS_pidfd_send_signal, keeper.get(), SIGTERM, nullptr, 0) != 0 && errno != ESRCH) {
      return fail(code_of(errno), doing + ": " + std::strerror(errno));
    }
    pollfd ended{keeper.get(), POLLIN, 0};
    if (::poll(&ended, 1, kGraceMs) == 0) {
      ::syscall(SYS_pidfd_send_signal, keeper.get(), SIGKILL, nullptr, 0);  // the nodes die with their keeper
      if (::poll(&ended, 1, kGraceMs) == 0) {
        return fail(ErrorCode::timeout, doing + ": its keeper (pid " + std::to_string(state.keeper) +
                                            ") does not end, not even when killed");
      }
    }
  }
  bool exists = false;
  if (const DirectoryLock lock = try_lock(state.directory, exists); lock.held()) remove_stale(state.directory);
  return {};
}

}  // namespace ordeal::nodes
