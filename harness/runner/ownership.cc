#include "harness/runner/ownership.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <condition_variable>
#include <random>

#include "base/files.h"
#include "base/text.h"
#include "harness/runner/lifecycle.h"

namespace ordeal {
namespace {

constexpr std::chrono::seconds kRenewal{5};
constexpr std::chrono::milliseconds kPatience{10'000};
constexpr int kHeld = 75;  // exit codes of the scripts
constexpr int kLost = 76;

// A lease is one line: token, uptime of the node in seconds, its boot, and who holds it. `$force`: whose lease is stale
// whatever it says.
constexpr const char* kTake = R"(up=$(cut -d. -f1 /proc/uptime); boot=$(cat /proc/sys/kernel/random/boot_id); i=0
while ! mkdir -m 755 "$d" 2>/dev/null; do
  token= seen=0 on= rest=
  [ -h "$d" ] || read -r token seen on rest 2>/dev/null <"$d/lease"
  [ "$token" != "$mine" ] || break
  i=$((i + 1))
  # Somebody has just made it and is about to write.
  if [ -z "$token" ] && [ $i -lt 20 ]; then sleep 0.1; continue; fi
  if [ -z "$token" ] || [ "$on" != "$boot" ] || [ $((up - seen)) -gt $lease ] || [ "$token" = "$force" ]; then
    mv "$d" "$d.$$" 2>/dev/null && rm -rf "$d.$$"
    [ $i -ge 40 ] || continue
  fi
  echo "$token $((up - seen)) $rest"
  exit 75
done
printf '%s\n' "$mine $up $boot $holder" >"$d/lease.new" && mv -f "$d/lease.new" "$d/lease")";

constexpr const char* kRenew = R"(token=; [ -h "$d" ] || read -r token rest 2>/dev/null <"$d/lease"
[ "$token" = "$mine" ] || exit 76
up=$(cut -d. -f1 /proc/uptime); boot=$(cat /proc/sys/kernel/random/boot_id)
printf '%s\n' "$mine $up $boot $holder" >"$d/lease.new" && mv -f "$d/lease.new" "$d/lease")";

constexpr const char* kGiveBack = R"(token=; [ -h "$d" ] || read -r token rest 2>/dev/null <"$d/lease"
[ "$token" != "$mine" ] || rm -rf "$d")";

Command command(const std::string& body, const std::string& token, const std::string& holder,
                const std::string& force = "") {
  Command out(fmt::format("d={} mine={} holder={} force={} lease={}\n{}\n", kOwnerDirectory, token, shell_quote(holder),
                          shell_quote(force), kLease.count(), body));
  out.timeout = kPatience;
  return out;
}

std::string boot_of_this_machine() {
  return std::string(trimmed(read_text_file("/proc/sys/kernel/random/boot_id").value_or("?")));
}

// When the process began, in ticks since the boot; empty: there is none.
std::string begin_of_process(const std::string& pid) {
  const auto stat = read_text_file("/proc/" + pid + "/stat");
  if (!stat) return "";
  // The name, in brackets, may hold anything.
  const std::vector<std::string> rest = fields(stat->substr(stat->find_last_of(')') + 1), ' ');
  constexpr std::size_t kBegin = 20;  // after the name: a blank, the state, …
  return rest.size() > kBegin ? rest[kBegin] : "";
}

std::string without_blanks(std::string text) {
  for (char& c : text) {
    if (c == ' ' || c == '\n' || c == '\t') c = '_';
  }
  return text;
}

// What the lease says of this process: boot of the machine, number, begin, host, run.
std::string holder_of(const std::string& run) {
  std::array<char, 256> host{};
  (void)::gethostname(host.data(), host.size() - 1);
  const std::string pid = std::to_string(::getpid());
  return fmt::format("{} {} {} {} {}", boot_of_this_machine(), pid, begin_of_process(pid), without_blanks(host.data()),
                     without_blanks(run));
}

std::string new_token() {
  std::random_device chance;
  return fmt::format("{:08x}{:08x}", chance(), chance());
}

struct Holder {
  std::string token, seen_s, boot, pid, begin, host, run;
};

std::optional<Holder> parsed(const std::string& said) {
  const std::vector<std::string> words = fields(trimmed(said), ' ');
  if (words.size() != 7) return std::nullopt;
  return Holder{words[0], words[1], words[2], words[3], words[4], words[5], words[6]};
}

// Whether it was a process of this machine that has ended.
bool is_gone(const Holder& holder) {
  return holder.boot == boot_of_this_machine() && begin_of_process(holder.pid) != holder.begin;
}

Error refusal(const std::optional<Holder>& holder, const std::string& said) {
  const std::string who = holder ? fmt::format("{}, of process {} on {}, seen {} s ago", holder->run, holder->pid,
                                               holder->host, holder->seen_s)
                                 : std::string(trimmed(said));
  return {ErrorCode::target,
          fmt::format("another run has this node: {}. Two runs would wipe each other's data: wait for its end (a "
                      "controller that died is forgotten after {} s), or give this run other nodes",
                      who, kLease.count())};
}

}  // namespace

Ownership::Ownership(Cluster& cluster, const std::string& run)
    : cluster_(cluster), token_(new_token()), holder_(holder_of(run)) {}

Result<void> Ownership::claim(Node& node) {
  std::string stale;
  for (int i = 0; i < 2; ++i) {
    const auto done = node.run(command(kTake, token_, holder_, stale));
    if (!done) return fail(done.error());
    if (done->exit_code == 0) {
      const std::lock_guard lock(mutex_);
      claimed_.insert(&node);
      return {};
    }
    if (done->exit_code != kHeld)
      return fail(ErrorCode::target, fmt::format("{} could not be made: {}", kOwnerDirectory, trimmed(done->err)));
    const auto holder = parsed(done->out);
    if (!holder || !is_gone(*holder) || i == 1) return fail(refusal(holder, done->out));
    stale = holder->token;
  }
  return {};
}

Result<std::unique_ptr<Ownership>> Ownership::take(Cluster& cluster, const std::string& run) {
  std::unique_ptr<Ownership> out(new Ownership(cluster, run));
  // What was taken before one was refused is given back by the destructor.
  if (auto done = on_all_nodes(cluster, [&](Node& node) { return out->claim(node); }); !done) return fail(done.error());
  out->renewal_ = std::jthread([self = out.get()](const std::stop_token& stop) { self->renew(stop); });
  return out;
}

Ownership::~Ownership() {
  renewal_.request_stop();
  if (renewal_.joinable()) renewal_.join();
  give_back();
}

std::optional<Error> Ownership::lost() const {
  const std::lock_guard lock(mutex_);
  return lost_;
}

void Ownership::renew(const std::stop_token& stop) {
  std::mutex waiting;
  std::condition_variable_any never;
  for (;;) {
    {
      std::unique_lock lock(waiting);
      never.wait_for(lock, stop, kRenewal, [] { return false; });
    }
    if (stop.stop_requested()) return;
    // A node that does not answer now may at the next turn.
    (void)on_all_nodes(cluster_, [&](Node& node) -> Result<void> {
      const auto done = node.run(command(kRenew, token_, holder_));
      if (!done || done->exit_code != kLost) return {};
      const std::lock_guard lock(mutex_);
      if (!lost_)
        lost_ = Error{ErrorCode::target, node.name() +
                                             ": another run has taken this node over meanwhile, since its "
                                             "lease could not be renewed; what was seen is worth nothing"};
      return {};
    });
  }
}

void Ownership::give_back() {
  (void)on_all_nodes(cluster_, [&](Node& node) -> Result<void> {
    if (!claimed_.contains(&node)) return {};  // nobody else is at work any more
    const auto done = node.run(command(kGiveBack, token_, holder_));
    return done ? Result<void>() : fail(done.error());
  });
}

}  // namespace ordeal
