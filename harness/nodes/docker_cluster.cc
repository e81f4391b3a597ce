#include "harness/nodes/docker_cluster.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <boost/process/args.hpp>
#include <boost/process/child.hpp>
#include <boost/process/exe.hpp>
#include <boost/process/extend.hpp>
#include <boost/process/posix.hpp>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <random>
#include <sstream>
#include <system_error>
#include <thread>
#include <utility>

#include "base/descriptor.h"
#include "base/files.h"
#include "base/text.h"
#include "harness/control/new_process.h"
#include "harness/control/node.h"
#include "harness/nodes/local_cluster.h"
#include "harness/nodes/ssh_keys.h"

namespace ordeal::nodes {

namespace bp = boost::process;
namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr const char* kHostImage = "ordeal-host";
// What faults do, beyond what root may do in a container anyway: filter packets, trace processes, mount.
constexpr const char* kCapabilities[] = {"NET_ADMIN", "SYS_PTRACE", "SYS_ADMIN"};
constexpr const char* kFiles = "/run/ordeal";  // in the container
constexpr seconds kCommandLimit{20};

// A file in memory; other code of this process opens it by path().
class MemoryFile {
 public:
  static Result<MemoryFile> make(const char* name, const std::string& text) {
    MemoryFile file;
    file.fd_ = Descriptor(::memfd_create(name, MFD_CLOEXEC));
    // Files in memory are everybody's, and a key that is everybody's is not used.
    if (!file.fd_ || ::fchmod(file.fd_.get(), 0600) != 0 ||
        ::write(file.fd_.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
      return fail(ErrorCode::io, fmt::format("a file in memory for {}: {}", name, std::strerror(errno)));
    }
    return file;
  }
  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] std::string path() const { return fmt::format("/proc/{}/fd/{}", ::getpid(), fd_.get()); }
  [[nodiscard]] std::string text() const { return read_text_file(path()).value_or(""); }

 private:
  Descriptor fd_;
};

// A session of its own: Ctrl-C at the controller's terminal shall not end the nodes before they are healed.
struct OwnSession : bp::extend::handler {
  template <class Executor>
  void on_exec_setup(Executor&) const {
    ::setsid();
    inherit_nothing();
  }
};

// A program whose output goes to a file in memory.
struct Program {
  bp::child child;
  MemoryFile output;

  static Result<Program> start(const std::string& exe, const std::vector<std::string>& arguments, int input) {
    auto output = MemoryFile::make("output", "");
    if (!output) return fail(output.error());
    std::error_code error;
    bp::child child(bp::exe = exe, bp::args = arguments, bp::posix::fd.bind(STDIN_FILENO, input),
                    bp::posix::fd.bind(STDOUT_FILENO, output->fd()), bp::posix::fd.bind(STDERR_FILENO, output->fd()),
                    OwnSession(), error);
    if (error) return fail(ErrorCode::internal, "starting " + exe + ": " + error.message());
    return Program{std::move(child), std::move(*output)};
  }
  // False when it still runs at the deadline.
  bool wait(Clock::time_point deadline) {
    std::error_code ignored;
    while (child.running(ignored)) {
      if (Clock::now() >= deadline) return false;
      std::this_thread::sleep_for(milliseconds(5));
    }
    return true;
  }
};

// Runs docker and returns what it printed. Errors: unsupported, with that; timeout.
Result<std::string> docker(const std::string& exe, const std::vector<std::string>& arguments, int input) {
  auto program = Program::start(exe, arguments, input);
  if (!program) return fail(program.error());
  const std::string doing = "docker " + arguments.front();
  if (!program->wait(Clock::now() + kCommandLimit)) {
    std::error_code ignored;
    program->child.terminate(ignored);
    return fail(ErrorCode::timeout, fmt::format("{}: no answer within {} s", doing, kCommandLimit.count()));
  }
  std::string said(trimmed(program->output.text()));
  if (program->child.exit_code() == 0) return said;
  return fail(ErrorCode::unsupported, doing + ": " + said);
}

std::string random_name() {
  std::random_device source;
  return fmt::format("ordeal-{:08x}", source());
}

// The tree of the image `ordeal-host`: what is not below /usr and every program expects.
Result<void> make_host_tree(const fs::path& root) {
  try {
    for (const char* directory : {"usr", "etc/alternatives", "proc", "sys", "dev", "tmp", "run", "root", "home", "opt",
                                  "srv", "mnt", "var/lib", "var/log", "var/tmp", "var/cache"}) {
      fs::create_directories(root / directory);
    }
    for (const char* link : {"bin", "sbin", "lib", "lib32", "lib64", "libx32"}) {
      if (fs::is_symlink(fs::path("/") / link)) fs::copy_symlink(fs::path("/") / link, root / link);
    }
    fs::create_symlink("/run", root / "var/run");
    for (const char* open : {"tmp", "var/tmp"}) fs::permissions(root / open, fs::perms::all | fs::perms::sticky_bit);
    for (const char* file : {"etc/passwd", "etc/group", "etc/nsswitch.conf", "etc/services", "etc/protocols"}) {
      if (fs::exists(fs::path("/") / file)) fs::copy_file(fs::path("/") / file, root / file);
    }
    std::ofstream(root / "etc/ld.so.cache") << "";
  } catch (const fs::filesystem_error& error) {
    return fail(ErrorCode::io, std::string("the tree of the nodes' image: ") + error.what());
  }
  return {};
}

std::string digest(const std::string& data) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
  unsigned size = 0;
  EVP_Digest(data.data(), data.size(), bytes.data(), &size, EVP_sha256(), nullptr);
  std::string out;
  for (unsigned i = 0; i < 6; ++i) out += fmt::format("{:02x}", bytes[i]);
  return out;
}

// The image's name, whose tag tells what is in it: made once, and anew when the users of this machine have changed.
Result<std::string> import_host_image(const std::string& exe) {
  if (!fs::is_symlink("/bin")) {
    return fail(
        ErrorCode::unsupported,
        "this machine's /bin is not a link to /usr/bin, so its programs cannot be lent to containers; name an image "
        "with sshd: --set docker.image=IMAGE");
  }
  std::string pattern = (fs::temp_directory_path() / "ordeal-image-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr)
    return fail(ErrorCode::io, "no temporary directory: " + std::string(std::strerror(errno)));
  const fs::path directory = pattern;
  std::error_code ignored;
  auto done = make_host_tree(directory);
  auto archive = MemoryFile::make("image.tar", "");
  if (!archive) done = fail(archive.error());
  if (done) {
    auto tar = Program::start(
        "/usr/bin/tar",
        {"-C", directory.string(), "--owner=0", "--group=0", "--mtime=@0", "--sort=name", "-cf", archive->path(), "."},
        STDIN_FILENO);
    if (!tar) {
      done = fail(tar.error());
    } else if (!tar->wait(Clock::now() + kCommandLimit) || tar->child.exit_code() != 0) {
      done = fail(ErrorCode::io, fmt::format("tar: {}", trimmed(tar->output.text())));
    }
  }
  fs::remove_all(directory, ignored);
  if (!done) return fail(done.error());
  const Descriptor input(::open(archive->path().c_str(), O_RDONLY | O_CLOEXEC));
  const std::string image = std::string(kHostImage) + ":" + digest(archive->text());
  if (docker(exe, {"image", "inspect", "--format", "{{.Id}}", image}, input.get())) return image;
  auto imported = docker(exe, {"import", "-", image}, input.get());
  if (!imported) return fail(imported.error());
  return image;
}

std::string here_document(const std::string& file, const std::string& text) {
  return fmt::format("cat >{}/{} <<'ORDEAL-END'\n{}{}ORDEAL-END\n", kFiles, file, text,
                     text.ends_with("\n") ? "" : "\n");
}

// What the first process of a container does. It ends, and with it the container, when its standard input does.
std::string first_script(const std::string& host_key, const std::string& client_key) {
  const std::string config = fmt::format(
      "Port 22\nHostKey {0}/host_key\nAuthorizedKeysFile {0}/authorized_keys\nPermitRootLogin prohibit-password\n"
      "PasswordAuthentication no\nKbdInteractiveAuthentication no\nUsePAM no\nUseDNS no\nPrintMotd no\nPrintLastLog "
      "no\n"
      "PermitUserRC no\nMaxStartups 1000\nMaxSessions 1000\nPidFile none\nStrictModes no\nSubsystem sftp "
      "internal-sftp\n"
      "SetEnv SHLVL=1\n",
      kFiles);
  return "set -eu\numask 022\nmkdir -p /run/sshd " + std::string(kFiles) + "\n" + here_document("host_key", host_key) +
         "chmod 600 " + kFiles + "/host_key\n" + here_document("authorized_keys", client_key) +
         here_document("sshd_config", config) +
         "sshd=$(command -v sshd || echo /usr/sbin/sshd)\n"
         "[ -x \"$sshd\" ] || { echo 'the image has no sshd; install openssh-server in it' >&2; exit 3; }\n"
         "grep -q '^sshd:' /etc/passwd || echo 'sshd:x:74:65534::/run/sshd:/usr/sbin/nologin' >>/etc/passwd\n"
         // sshd lets nobody into a locked account, not even with a key.
         "if [ -e /etc/shadow ]; then sed -i 's/^root:!!*/root:*/' /etc/shadow\n"
         "else (umask 077; echo 'root:*:19000:0:99999:7:::' >/etc/shadow); fi\n"
         "\"$sshd\" -D -e -f " +
         std::string(kFiles) +
         "/sshd_config </dev/null &\n"
         "cat >/dev/null\n";
}

}  // namespace

struct DockerCluster::Impl {
  struct Container {
    std::string name;  // of the node
    std::string address;
    std::string host_key;
    Descriptor lifeline;
    std::optional<Program> runner;
  };

  DockerClusterOptions options;
  std::string exe;
  std::string image;
  std::string name = random_name();
  Clock::time_point deadline;
  Descriptor null;
  SshKeyPair client_key;
  std::optional<MemoryFile> identity;
  std::optional<MemoryFile> known_hosts;
  std::vector<Container> containers;

  [[nodiscard]] std::string container(const Container& one) const { return name + "-" + one.name; }

  Result<void> prepare() {
    deadline = Clock::now() + options.ready_timeout;
    auto found = find_program("docker", "docker.io");
    if (!found) return fail(found.error());
    exe = *found;
    null = Descriptor(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (auto version = docker(exe, {"version", "--format", "{{.Server.Version}}"}, null.get()); !version) {
      return fail(version.error().code,
                  "the Docker daemon does not answer (is it running, and may you use it?): " + version.error().message);
    }
    auto key = make_ssh_key("ordeal@" + name);
    if (!key) return fail(key.error());
    client_key = std::move(*key);
    auto file = MemoryFile::make("id_ed25519", client_key.private_key);
    if (!file) return fail(file.error());
    identity = std::move(*file);
    image = options.image;
    if (!image.empty()) return {};
    auto imported = import_host_image(exe);
    if (!imported) return fail(imported.error());
    image = *imported;
    return {};
  }

  std::vector<std::string> run_arguments(const Container& one) const {
    std::vector<std::string> words = {"run",          "--rm",         "-i",
                                      "--name",       container(one), "--hostname",
                                      one.name,       "--label",      "ordeal.cluster=" + name,
                                      "--entrypoint", "/bin/sh"};
    for (const char* capability : kCapabilities) words.insert(words.end(), {"--cap-add", capability});
    if (fs::exists("/dev/fuse")) words.insert(words.end(), {"--device", "/dev/fuse"});
    // AppArmor's profile for containers forbids to mount what the capability allows.
    words.insert(words.end(), {"--security-opt", "apparmor=unconfined"});
    if (options.image.empty()) {
      for (const char* shared : {"/usr", "/etc/alternatives", "/etc/ld.so.cache", "/etc/ssl"}) {
        if (fs::exists(shared)) words.insert(words.end(), {"-v", fmt::format("{0}:{0}:ro", shared)});
      }
    }
    std::istringstream more(options.arguments);
    for (std::string word; more >> word;) words.push_back(word);
    words.insert(words.end(), {image, "-s"});
    return words;
  }

  Result<void> start_container(int number) {
    Container one;
    one.name = fmt::format("n{}", number);
    auto host_key = make_ssh_key("");
    if (!host_key) return fail(host_key.error());
    one.host_key = host_key->public_key;
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0)
      return fail(ErrorCode::internal, std::string("no pipe: ") + std::strerror(errno));
    const Descriptor input(ends[0]);
    one.lifeline = Descriptor(ends[1]);
    const std::string script = first_script(host_key->private_key, client_key.public_key);
    // A few kilobytes: a pipe takes them without a reader.
    if (::write(ends[1], script.data(), script.size()) != static_cast<ssize_t>(script.size())) {
      return fail(ErrorCode::internal, std::string("writing to a pipe: ") + std::strerror(errno));
    }
    auto runner = Program::start(exe, run_arguments(one), input.get());
    if (!runner) return fail(runner.error());
    one.runner = std::move(*runner);
    containers.push_back(std::move(one));
    return {};
  }

  // Errors: unsupported, when the container has ended; timeout.
  Result<void> alive(Container& one) {
    std::error_code ignored;
    if (!one.runner->child.running(ignored)) {
      return fail(ErrorCode::unsupported,
                  one.name + ": its container has ended: " + std::string(trimmed(one.runner->output.text())));
    }
    if (Clock::now() < deadline) return {};
    return fail(ErrorCode::timeout, fmt::format("{}: its container does not answer SSH within {} s: {}", one.name,
                                                options.ready_timeout.count(), trimmed(one.runner->output.text())));
  }

  Result<void> await_address(Container& one) {
    for (;;) {
      auto said = docker(
          exe, {"inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}", container(one)},
          null.get());
      if (said) {
        std::istringstream words(*said);
        if (words >> one.address) return {};
      }
      if (auto living = alive(one); !living) return living;
      std::this_thread::sleep_for(milliseconds(20));
    }
  }

  Result<void> await_ssh(Container& one, const SshEndpoint& endpoint, const std::string& hosts) {
    const auto node = make_ssh_node(endpoint);
    for (;;) {
      const auto done = node->run(fmt::format("printf '%s' {} >>/etc/hosts", shell_quote(hosts)));
      if (done && done->exit_code == 0) return {};
      if (done) return fail(ErrorCode::unsupported, one.name + ": writing /etc/hosts: " + done->err);
      if (done.error().code != ErrorCode::unreachable && done.error().code != ErrorCode::disconnected)
        return fail(done.error());
      if (auto living = alive(one); !living) return living;
      std::this_thread::sleep_for(milliseconds(20));
    }
  }

  Result<void> bring_up() {
    if (auto done = prepare(); !done) return done;
    for (int i = 1; i <= options.nodes; ++i) {
      if (auto done = start_container(i); !done) return done;
    }
    std::string hosts;
    std::string keys;
    for (Container& one : containers) {
      if (auto done = await_address(one); !done) return done;
      hosts += one.address + " " + one.name + "\n";
      keys += one.address + " " + one.host_key + "\n";
    }
    auto file = MemoryFile::make("known_hosts", keys);
    if (!file) return fail(file.error());
    known_hosts = std::move(*file);
    for (Container& one : containers) {
      if (auto done = await_ssh(one, endpoint(one), hosts); !done) return done;
    }
    return {};
  }

  SshEndpoint endpoint(const Container& one) const {
    SshEndpoint endpoint;
    endpoint.name = one.name;
    endpoint.host = one.address;
    endpoint.user = "root";
    endpoint.identity_files = {identity->path()};
    endpoint.use_agent = false;
    endpoint.known_hosts_file = known_hosts->path();
    endpoint.config_file = "none";
    return endpoint;
  }

  void take_down() {
    for (Container& one : containers) one.lifeline.reset();
    // A container that was still starting when its input ended may not notice; naming it again ends any.
    if (!containers.empty()) {
      std::vector<std::string> words = {"rm", "--force"};
      for (const Container& one : containers) words.push_back(container(one));
      (void)docker(exe, words, null.get());
    }
    const auto limit = Clock::now() + seconds(15);
    for (Container& one : containers) {
      if (one.runner && !one.runner->wait(limit)) {
        std::error_code ignored;
        one.runner->child.terminate(ignored);
      }
    }
  }
};

DockerCluster::DockerCluster(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

DockerCluster::~DockerCluster() { impl_->take_down(); }

Result<std::unique_ptr<DockerCluster>> DockerCluster::start(const DockerClusterOptions& options) {
  auto impl = std::make_unique<Impl>();
  impl->options = options;
  std::unique_ptr<DockerCluster> cluster(new DockerCluster(std::move(impl)));
  if (auto up = cluster->impl_->bring_up(); !up) return fail(up.error());
  return cluster;
}

std::vector<SshEndpoint> DockerCluster::endpoints() const {
  std::vector<SshEndpoint> all;
  for (const Impl::Container& one : impl_->containers) all.push_back(impl_->endpoint(one));
  return all;
}

std::string DockerCluster::container(std::size_t node) const { return impl_->container(impl_->containers[node]); }

}  // namespace ordeal::nodes
