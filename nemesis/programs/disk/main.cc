// ordeal-disk: a disk that loses, tears, delays and corrupts what is written to it, as a FUSE file system over a
// directory. Like the agent it is part of the controller, which sends it to the nodes whose faults need it.
//
//   ordeal-disk start FOLDER NUMBER DIRECTORY journal|strict [through]
//                                                              puts it over DIRECTORY, whose files it shows and
//                                                              changes; through: each write arrives by itself, as if
//                                                              the kernel could not gather
//   ordeal-disk stop FOLDER NUMBER DIRECTORY                   takes it away; the files stay as everybody saw them
//   ordeal-disk evict FOLDER NUMBER DIRECTORY                  ends whoever has files of it open; prints their process
//   ids ordeal-disk tell FOLDER NUMBER WORD…                       see control.h ordeal-disk lose FOLDER NUMBER
//   DIRECTORY lost|torn|reordered SEED
//                                                              a power failure: what "tell … lose" says, and "marker=1"
//                                                              if a write of this program's own to the marker (tree.h),
//                                                              made just before, is gone from what any program reads;
//                                                              else "marker=0"
//   ordeal-disk probe DIRECTORY KIND ATTEMPTS MS SLOW_MS       see probe.h: "ATTEMPTS HITS SLOWEST_MS ERROR"
//
// FOLDER is the fault's on the node; what belongs to the disk NUMBER is in FOLDER/NUMBER. Whoever still has a file open
// when it is stopped goes on with it, and then the program ends. Exit code: 0 done · 1 not done, standard error says
// why · 2 nobody is there to be told · 64 wrong usage.

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "nemesis/programs/agent/background.h"
#include "nemesis/programs/agent/proc.h"
#include "nemesis/programs/agent/timing.h"
#include "nemesis/programs/disk/control.h"
#include "nemesis/programs/disk/probe.h"
#include "nemesis/programs/disk/server.h"
#include "nemesis/programs/disk/users.h"

namespace ordeal::disk {
namespace {

using Words = std::vector<std::string>;

int fail(const std::string& what) {
  std::fprintf(stderr, "ordeal-disk: %s: %s\n", what.c_str(), std::strerror(errno));
  return 1;
}

int usage() {
  std::fputs("ordeal-disk: wrong arguments; see nemesis/programs/disk/main.cc\n", stderr);
  return 64;
}

std::string real_path(const std::string& path) {
  char resolved[PATH_MAX];
  return ::realpath(path.c_str(), resolved) != nullptr ? resolved : path;
}

// The device ("0:53") of the uppermost mount at `directory` if it is the one that `folder` put there, else empty.
std::string mounted_device(const std::string& folder, const std::string& directory) {
  std::string device;
  for (const std::string& line : agent::split(agent::read_file("/proc/self/mountinfo"), "\n")) {
    const Words words = agent::split(line, " ");
    if (words.size() < 9 || words[4] != directory) continue;
    std::size_t dash = 6;
    while (dash < words.size() && words[dash] != "-") ++dash;
    device = dash + 2 < words.size() && words[dash + 2] == folder ? words[2] : "";
  }
  return device;
}

bool is_mounted(const std::string& folder, const std::string& directory) {
  return !mounted_device(folder, directory).empty();
}

std::string socket_of(const std::string& folder, const std::string& number) {
  return folder + "/" + number + "/control";
}

// Every file that the kernel knows of is open here.
void raise_file_limit() {
  rlimit limit{1'000'000, 1'000'000};
  if (::setrlimit(RLIMIT_NOFILE, &limit) == 0 || ::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  (void)::setrlimit(RLIMIT_NOFILE, &limit);
}

// The kernel lets a FUSE file system have a hundredth of the memory that it keeps for what is to be written back, since
// it does not trust its program; who writes more than that waits. A real disk may have all of it. `device`: of the file
// system.
void trust(dev_t device) {
  const std::string place =
      "/sys/class/bdi/" + std::to_string(major(device)) + ":" + std::to_string(minor(device)) + "/";
  (void)agent::write_file(place + "max_ratio", "100");
  (void)agent::write_file(place + "strict_limit", "0");  // Linux 6.2 and later
}

void serve(int root, int device, const std::string& directory, const Words& how, Control& control) {
  ::umask(0);  // the kernel has applied the programs' own
  Tree tree(root, how[0] == "strict" ? Tree::Durability::strict : Tree::Durability::journal);
  Server server(tree, device, directory, how.size() < 2 || how[1] != "through");
  if (!tree.ready() || !server.ready()) ::_exit(1);  // closes the device: the mount answers nobody
  std::thread listener([&] { control.serve(server); });
  server.serve();
  control.end();
  listener.join();
}

int start(const Words& words) {
  const std::string& folder = words[0];
  const std::string place = folder + "/" + words[1];
  const std::string directory = real_path(words[2]);
  if (is_mounted(folder, directory)) return 0;
  agent::hold_signals();
  raise_file_limit();
  // A real disk does not wait for a processor; on a busy node this one would, twice for each call.
  (void)::setpriority(PRIO_PROCESS, 0, -20);
  const int root = ::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (root < 0) return fail(directory);
  const int device = ::open("/dev/fuse", O_RDWR | O_CLOEXEC);
  if (device < 0) return fail("/dev/fuse (does this kernel have FUSE?)");
  if (::mkdir(place.c_str(), 0700) != 0 && errno != EEXIST) return fail(place);
  Control control;
  if (!control.open(socket_of(folder, words[1]))) return fail(socket_of(folder, words[1]));
  const std::string how =
      "fd=" + std::to_string(device) + ",rootmode=40000,user_id=0,group_id=0,default_permissions,allow_other";
  if (::mount(folder.c_str(), directory.c_str(), "fuse.ordeal-disk", MS_NOSUID | MS_NODEV, how.c_str()) != 0) {
    return fail("mounting over " + directory);
  }
  const Words behaviour(words.begin() + 3, words.end());
  if (!agent::start_background(place, [&] { serve(root, device, directory, behaviour, control); })) {
    (void)::umount2(directory.c_str(), MNT_DETACH);
    return 1;
  }
  ::close(device);  // now the other process alone has it, and when that ends nobody waits for it
  struct stat info {};
  if (::stat(directory.c_str(), &info) == 0) {
    trust(info.st_dev);
    return 0;
  }
  const int status = fail(directory + " does not answer");
  (void)::umount2(directory.c_str(), MNT_DETACH);
  return status;
}

// The program that serves the disk.
struct Serving {
  int process = 0;
  std::uint64_t started = 0;
  [[nodiscard]] bool runs() const {
    const agent::ProcessStatus status = agent::status_of(process);
    return process != 0 && status.alive() && status.started == started;
  }
};
Serving serving(const std::string& folder, const std::string& number) {
  const Words who = agent::split(agent::read_file(folder + "/" + number + "/background"), " \n");
  if (who.size() < 2) return {};
  return {static_cast<int>(agent::to_integer(who[0])), static_cast<std::uint64_t>(agent::to_integer(who[1]))};
}

int evict(const Words& words) {
  static constexpr int kWaitMs = 2000;
  const std::string& folder = words[0];
  const std::string device = mounted_device(folder, real_path(words[2]));
  if (device.empty()) return 0;
  // Calm first: a process that waits for a slow disk cannot be killed.
  std::string answer;
  (void)tell(socket_of(folder, words[1]), "calm", answer);
  bool all_gone = true;
  for (const int process : end_users(device, serving(folder, words[1]).process, kWaitMs, all_gone))
    std::printf("%d\n", process);
  if (all_gone) return 0;
  std::fprintf(stderr, "ordeal-disk: somebody who has files of %s open cannot be ended\n", words[2].c_str());
  return 1;
}

int stop(const Words& words) {
  const std::string& folder = words[0];
  const std::string directory = real_path(words[2]);
  std::string answer;
  (void)tell(socket_of(folder, words[1]), "calm", answer);
  while (is_mounted(folder, directory)) {
    if (::umount2(directory.c_str(), MNT_DETACH) != 0) return fail("unmounting " + directory);
  }
  // Unless somebody still has a file open, it ends now.
  const Serving server = serving(folder, words[1]);
  for (int i = 0; i < 100 && server.runs(); ++i) agent::pause_ns(10'000'000);
  if (server.runs()) return 0;
  // It was killed: nothing in its graveyard is wanted.
  const int root = ::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  struct stat info {};
  if (root >= 0 && ::fstatat(root, kGraveyard, &info, AT_SYMLINK_NOFOLLOW) == 0)
    const Tree cleaned(root, Tree::Durability::journal);
  return 0;
}

int tell_it(const Words& words) {
  std::string line;
  for (std::size_t i = 2; i < words.size(); ++i) line += words[i] + " ";
  std::string answer;
  if (!tell(socket_of(words[0], words[1]), line, answer)) {
    const bool gone = errno == ENOENT || errno == ECONNREFUSED;
    (void)fail("the disk does not answer");
    return gone ? 2 : 1;
  }
  std::fputs(answer.c_str(), answer.starts_with("!") ? stderr : stdout);
  return answer.starts_with("!") ? 1 : 0;
}

// The marker's contents are this byte, and nothing else.
bool marker_is(const std::string& path, char byte) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  char contents[kMarkerBytes + 1];
  const ssize_t size = file < 0 ? -1 : ::read(file, contents, sizeof contents);
  if (file >= 0) ::close(file);
  return size == static_cast<ssize_t>(kMarkerBytes) &&
         std::all_of(contents, contents + size, [&](char c) { return c == byte; });
}

bool write_marker(const std::string& path, char byte) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (file < 0) return false;
  const std::string contents(kMarkerBytes, byte);
  const bool written = ::pwrite(file, contents.data(), contents.size(), 0) == static_cast<ssize_t>(contents.size());
  return ::close(file) == 0 && written;
}

int lose(const Words& words) {
  const std::string marker = words[2] + "/" + kMarker;
  const bool marked = write_marker(marker, 'x') && marker_is(marker, 'x');
  std::string answer;
  if (!tell(socket_of(words[0], words[1]), "lose " + words[3] + " " + words[4], answer))
    return fail("the disk does not answer");
  if (answer.ends_with('\n')) answer.pop_back();
  std::printf("%smarker=%d\n", answer.c_str(), marked && marker_is(marker, '\0') ? 1 : 0);
  return 0;
}

int probe_it(const Words& words) {
  const std::int64_t ms = 1'000'000;
  const ProbeResult found = probe(words[0], words[1], agent::to_integer(words[2]), agent::to_integer(words[3]) * ms,
                                  agent::to_integer(words[4]) * ms);
  std::printf("%lld %lld %lld %s\n", static_cast<long long>(found.attempts), static_cast<long long>(found.hits),
              static_cast<long long>(found.slowest_ns / ms), found.error == 0 ? "-" : ::strerrorname_np(found.error));
  return 0;
}

int dispatch(const Words& words) {
  const std::string verb = words.empty() ? "" : words[0];
  const Words rest(words.begin() + (words.empty() ? 0 : 1), words.end());
  if (verb == "start" && (rest.size() == 4 || rest.size() == 5)) return start(rest);
  if (verb == "stop" && rest.size() == 3) return stop(rest);
  if (verb == "evict" && rest.size() == 3) return evict(rest);
  if (verb == "tell" && rest.size() >= 3) return tell_it(rest);
  if (verb == "lose" && rest.size() == 5) return lose(rest);
  if (verb == "probe" && rest.size() == 5) return probe_it(rest);
  return usage();
}

}  // namespace
}  // namespace ordeal::disk

int main(int argc, char** argv) { return ordeal::disk::dispatch({argv + 1, argv + argc}); }
