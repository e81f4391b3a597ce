#include "targets/redis/redis_target.h"

#include <fmt/format.h>

#include <sstream>
#include <thread>

#include "targets/redis/redis_client.h"

namespace ordeal {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

class RedisTarget final : public Target,
                          private Target::ClientSetup,
                          private Target::Installation,
                          private Target::Files,
                          private Target::Processes {
 public:
  RedisTarget(Cluster& cluster, const Options& options) : cluster_(cluster), options_(options) {}

  std::string_view name() const override { return "redis"; }
  Result<std::unique_ptr<Client>> client(std::size_t) override {
    return std::make_unique<RedisClient>(cluster_.at(0).address(), port(), data_type_ == "counter");
  }

  Result<void> start(Node& node) override;
  Result<void> stop(Node& node) override;
  Result<void> await_ready(Deadline deadline) override;
  Target::ClientSetup* client_setup() override { return this; }
  Target::Installation* installation() override { return this; }
  const Target::Files* files() const override { return this; }
  Target::Processes* processes() override { return this; }

 private:
  void use(std::string_view data_type) override { data_type_ = data_type; }
  Result<void> install(Node& node) override;
  Result<void> wipe(Node& node) override;
  Result<Value> describe(Node& node) override;
  std::vector<std::string> log_files(const Node&) const override { return {log()}; }
  std::vector<std::string> data_directories(const Node&) const override { return {data()}; }
  std::string log_pattern() const override {
    return "REDIS BUG REPORT|crashed by signal|Bad file format reading the append only file";
  }
  Result<void> kill(Node& node) override { return signal(node, "KILL", 5); }
  Result<void> pause(Node& node) override { return signal(node, "STOP", 0); }
  Result<void> resume(Node& node) override { return signal(node, "CONT", 0); }
  Result<std::vector<int>> pids(Node& node) override;
  std::string start_script(const Node& node) override;

  [[nodiscard]] int port() const { return static_cast<int>(options_.integer("redis.port")); }
  [[nodiscard]] std::string data() const { return options_.string("redis.dir") + "/data"; }
  [[nodiscard]] std::string log() const { return options_.string("redis.dir") + "/redis.log"; }
  [[nodiscard]] Command script(const std::string& text) const;
  [[nodiscard]] Command start_command(const Node& node) const;
  // 0 seconds: does not wait until it is gone.
  Result<void> signal(Node& node, const std::string& signal, int wait_s);
  [[nodiscard]] std::string log_tail(Node& node);

  Cluster& cluster_;
  const Options& options_;
  std::string data_type_;
};

// With a shell function `pids`: servers are known by their working directory. Zombies have none.
Command RedisTarget::script(const std::string& text) const {
  Command command(fmt::format(
      "data={}; log={}\n"
      "pids() {{ for comm in $(grep -lsx redis-server /proc/[0-9]*/comm); do p=${{comm#/proc/}}; p=${{p%/comm}}\n"
      "  [ \"$(readlink /proc/$p/cwd)\" = \"$data\" ] && echo $p; done; }}\n{}",
      shell_quote(data()), shell_quote(log()), text));
  command.sudo = options_.boolean("redis.sudo");
  command.idempotent = true;
  return command;
}

Result<void> RedisTarget::signal(Node& node, const std::string& signal, int wait_s) {
  auto done = run_ok(
      node,
      script(fmt::format(
          "for p in $(pids); do kill -{0} $p; done 2>/dev/null\ni=0\n"
          "while [ {1} -gt 0 ] && [ -n \"$(pids)\" ]; do i=$((i + 1)); [ $i -gt {1} ] && exit 4; sleep 0.05; done\n"
          "exit 0",
          signal, wait_s * 20)));
  if (!done) return fail(done.error().during("sending SIG" + signal + " to Redis"));
  return {};
}

Result<void> RedisTarget::install(Node& node) {
  auto found = node.run(script("command -v redis-server"));
  if (!found) return fail(found.error());
  if (found->exit_code == 0) return {};
  return fail(ErrorCode::target, node.name() + ": there is no redis-server; install Debian's package redis-server");
}

Result<void> RedisTarget::wipe(Node& node) {
  if (auto killed = kill(node); !killed) return killed;
  // What is mounted there stays.
  auto removed = run_ok(node, script("rm -f \"$log\"; rm -rf \"$data\" || [ -z \"$(ls -A \"$data\")\" ]"));
  if (!removed) return fail(removed.error().during("wiping Redis' data"));
  return {};
}

Command RedisTarget::start_command(const Node& node) const {
  return script(fmt::format(
      "[ -n \"$(pids)\" ] && exit 0\nmkdir -p \"$data\" && cd \"$data\" || exit 1\n"
      "setsid nohup redis-server --port {} --bind {} --protected-mode no --dir \"$data\" --save '' --appendonly yes "
      "--appendfsync {} --daemonize no {} </dev/null >>\"$log\" 2>&1 &\n"
      "for i in 1 2 3 4 5 6 7 8 9 10; do [ -n \"$(pids)\" ] && exit 0; sleep 0.05; done\n"
      "tail -n 3 \"$log\" >&2; exit 3",
      port(), shell_quote(node.address()), options_.string("redis.fsync"), options_.string("redis.flags")));
}

// Without sudo it runs as the login user, whom a script for root does not know.
std::string RedisTarget::start_script(const Node& node) {
  return options_.boolean("redis.sudo") ? start_command(node).script : "";
}

Result<void> RedisTarget::start(Node& node) {
  auto done = run_ok(node, start_command(node));
  if (!done) return fail(done.error().during("starting Redis"));
  return {};
}

Result<void> RedisTarget::stop(Node& node) {
  if (auto resumed = resume(node); !resumed) return resumed;
  if (signal(node, "TERM", 10)) return {};
  return kill(node);
}

Result<std::vector<int>> RedisTarget::pids(Node& node) {
  auto said = run_ok(node, script("pids; exit 0"));
  if (!said) return fail(said.error());
  std::vector<int> out;
  std::istringstream words(*said);
  for (int pid = 0; words >> pid;) out.push_back(pid);
  return out;
}

std::string RedisTarget::log_tail(Node& node) {
  auto said = run_ok(node, script("tail -n 3 \"$log\""));
  return said ? *said : said.error().message;
}

Result<void> RedisTarget::await_ready(Deadline deadline) {
  RedisClient client(cluster_.at(0).address(), port(), false);
  const Operation look{"read", Value("ordeal-ready"), Value()};
  while (true) {
    const Completion seen = client.invoke(look, deadline.within(milliseconds(2000)));
    if (seen.type == EventType::ok) return {};
    if (steady_clock::now() + milliseconds(50) >= deadline) {
      return fail(ErrorCode::target,
                  fmt::format("{}: Redis does not serve: {}; its log says: {}", cluster_.at(0).name(),
                              seen.error ? seen.error->message : "", log_tail(cluster_.at(0))));
    }
    std::this_thread::sleep_for(milliseconds(50));
  }
}

Result<Value> RedisTarget::describe(Node& node) {
  auto said = run_ok(node, script("redis-server --version"));
  if (!said) return fail(said.error());
  return Value::map({{"system", "redis"}, {"program", *said}, {"appendfsync", options_.string("redis.fsync")}});
}

Result<std::unique_ptr<Target>> make(Cluster& cluster, const Options& options) {
  if (cluster.size() != 1) {
    return fail(ErrorCode::usage,
                fmt::format("target redis is one server, and there are {} nodes: say --nodes local:1", cluster.size()));
  }
  return std::make_unique<RedisTarget>(cluster, options);
}

}  // namespace

TargetFactory redis_target() {
  using Type = OptionSpec::Type;
  TargetFactory factory;
  factory.name = "redis";
  factory.help = "one Redis server that keeps its data in the append-only file (--nodes local:1)";
  factory.operations = RedisClient::operations();
  factory.options = {
      {"redis.fsync",
       Type::string,
       "always",
       "when Redis syncs its append-only file: always (before it answers), everysec, no",
       std::nullopt,
       std::nullopt,
       {"always", "everysec", "no"}},
      {"redis.port", Type::integer, 6379, "port for clients", 1, 65535},
      {"redis.dir", Type::string, "/var/lib/ordeal/redis", "directory on the node for data and log"},
      {"redis.flags", Type::string, "", "further arguments for redis-server"},
      {"redis.sudo", Type::boolean, true, "control Redis as root when the login user is somebody else"},
  };
  factory.make = make;
  return factory;
}

}  // namespace ordeal
