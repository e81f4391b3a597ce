#include "targets/memory/memory.h"

#include <algorithm>
#include <atomic>
#include <thread>

#include "harness/interfaces/slow_transactions.h"
#include "targets/memory/store.h"

namespace ordeal {
namespace {

using std::chrono::duration;
using std::chrono::duration_cast;
using std::chrono::nanoseconds;
using std::chrono::steady_clock;

// What all clients of one run share.
struct Memory {
  memory::MemoryStore store;
  std::string data_type;  // set before the first client
  double latency_s = 0;
  double info_probability = 0;
  double fail_probability = 0;
  Rng rng{0};
  std::atomic<std::uint64_t> clients{0};
};

class MemoryClient final : public Client {
 public:
  MemoryClient(std::shared_ptr<Memory> memory, std::uint64_t number, SlowTransactions slow)
      : memory_(std::move(memory)), number_(number), rng_(memory_->rng.split(number)), slow_(slow) {}

  Result<void> open(Deadline) override { return {}; }

  Completion invoke(const Operation& operation, Deadline deadline) override {
    // The way there and back take half of the latency each, so that the effect lies somewhere within the call. Of a
    // slow transaction it lies in the middle.
    const double pause_s = slow_.next_pause_s();
    if (!linger(pause_s, deadline)) return Completion::unknown("timeout", "txn.slow is longer than there was time");
    if (!travel(deadline)) return Completion::unknown("timeout", "simulated latency beyond the deadline");
    if (memory_->fail_probability > 0 && rng_.chance(memory_->fail_probability)) {
      return Completion::failed("simulated", "refused by memory.fail-probability");
    }
    const bool lost = memory_->info_probability > 0 && rng_.chance(memory_->info_probability);
    if (lost && rng_.chance(0.5)) return Completion::unknown("simulated", "request lost by memory.info-probability");
    Completion done = memory_->store.apply(memory_->data_type, operation, number_, rng_);
    if (lost) return Completion::unknown("simulated", "answer lost by memory.info-probability");
    if (!travel(deadline)) return Completion::unknown("timeout", "simulated latency beyond the deadline");
    if (!linger(pause_s, deadline)) return Completion::unknown("timeout", "txn.slow is longer than there was time");
    return done;
  }

  void close() override {
    if (memory_->data_type == "lock" || memory_->data_type == "election" || memory_->data_type == "semaphore" ||
        memory_->data_type == "dead-letter" || memory_->data_type.empty())
      memory_->store.forget(number_);
  }

 private:
  // False when the deadline came first.
  bool travel(Deadline deadline) {
    if (memory_->latency_s <= 0) return true;
    const auto arrival = steady_clock::now() + from_seconds(rng_.exponential(memory_->latency_s / 2));
    std::this_thread::sleep_until(std::min<Deadline>(arrival, deadline));
    return arrival < deadline;
  }
  static bool linger(double pause_s, Deadline deadline) {
    if (pause_s <= 0) return true;
    const Deadline over = deadline.within_s(pause_s);
    std::this_thread::sleep_until(over);
    return over < deadline;
  }

  std::shared_ptr<Memory> memory_;
  std::uint64_t number_;
  Rng rng_;
  SlowTransactions slow_;
};

class MemoryTarget final : public Target, private Target::ClientSetup {
 public:
  MemoryTarget(std::shared_ptr<Memory> memory, const Options& options)
      : memory_(std::move(memory)), options_(options) {}

  std::string_view name() const override { return "memory"; }
  Result<std::unique_ptr<Client>> client(std::size_t) override {
    const std::uint64_t number = memory_->clients.fetch_add(1);
    return std::make_unique<MemoryClient>(memory_, number, SlowTransactions(options_, number));
  }
  Target::ClientSetup* client_setup() override { return this; }

 private:
  void use(std::string_view data_type) override { memory_->data_type = data_type; }

  std::shared_ptr<Memory> memory_;
  const Options options_;
};

Result<std::unique_ptr<Target>> make(Cluster&, const Options& options) {
  memory::MemoryStore::Settings settings;
  settings.faults = {memory::bug_named(options.string("memory.bug")), options.real("memory.bug-probability")};
  settings.partitions.every = from_seconds(options.seconds("memory.partition-every"));
  settings.partitions.lasting = from_seconds(options.seconds("memory.partition-for"));
  settings.bank_accounts = options.integer("memory.bank-accounts");
  settings.bank_balance = options.integer("memory.bank-balance");
  settings.key_ttl = from_seconds(options.seconds("memory.key-ttl"));
  settings.replication = memory::replication_named(options.string("memory.replication"));
  settings.lag = from_seconds(options.seconds("memory.lag"));
  auto clock = [start = steady_clock::now()] { return nanoseconds(steady_clock::now() - start); };
  auto shared =
      std::shared_ptr<Memory>(new Memory{.store = {settings, clock},
                                         .data_type = {},
                                         .latency_s = options.seconds("memory.latency"),
                                         .info_probability = options.real("memory.info-probability"),
                                         .fail_probability = options.real("memory.fail-probability"),
                                         .rng = Rng(static_cast<std::uint64_t>(options.integer("memory.seed")))});
  return std::make_unique<MemoryTarget>(std::move(shared), options);
}

}  // namespace

TargetFactory memory_target() {
  using Type = OptionSpec::Type;
  TargetFactory factory = {
      .name = "memory",
      .help = "a linearizable store inside Ordeal itself, without nodes; wrong on request (memory.bug)",
      .operations =
          {"read",           "write",       "cas",         "add",         "txn",      "append",    "enqueue",
           "dequeue",        "drain",       "acquire",     "release",     "generate", "transfer",  "insert",
           "stamp",          "write-chain", "read-chain",  "campaign",    "resign",   "leader",    "apply",
           "request",        "saga",        "send",        "poll",        "assign",   "subscribe", "acquire-permit",
           "release-permit", "deposit",     "withdraw",    "receive",     "ack",      "reject",    "drain-dead",
           "change",         "messages",    "cas-version", "put",         "read-at",  "remove",    "replay",
           "tail",           "head",        "inclusion",   "consistency", "balance",  "events",    "model"},
      .options =
          {
              {.key = "memory.bug",
               .type = Type::string,
               .default_value = "none",
               .help =
                   "what it does wrong: stale-read (a read sees the state before the last change), lost-write (a "
                   "change is acknowledged and not made), lost-update (the last change of a key during a simulated "
                   "partition is gone when it heals), duplicate (a change is made twice), write-skew (a transaction "
                   "acts on what it read before, without looking again), reorder (a message jumps the queue)",
               .choices = {"none", "stale-read", "lost-write", "lost-update", "duplicate", "write-skew", "reorder",
                           "forged-head", "fork"}},
              {.key = "memory.bug-probability",
               .type = Type::real,
               .default_value = 0.1,
               .help = "how often the bug strikes an operation; lost-update strikes at every healing",
               .min = 0,
               .max = 1},
              {.key = "memory.partition-every",
               .type = Type::duration,
               .default_value = 1.0,
               .help = "time between two simulated partitions; for lost-update",
               .min = 0.001},
              {.key = "memory.partition-for",
               .type = Type::duration,
               .default_value = 0.2,
               .help = "how long each of them lasts",
               .min = 0.001},
              {.key = "memory.replication",
               .type = Type::string,
               .default_value = "none",
               .help = "a weaker store, and no bug where no more is claimed; sequential: reads may lag behind, but no "
                       "client "
                       "goes back or misses its own changes; eventual: each read may lag behind by itself; causal: "
                       "registers on three replicas, which see a write after what it depends on",
               .choices = {"none", "sequential", "eventual", "causal"}},
              {.key = "memory.lag",
               .type = Type::duration,
               .default_value = 0.02,
               .help = "after which time everybody sees a change, with memory.replication",
               .min = 0},
              {.key = "memory.latency",
               .type = Type::duration,
               .default_value = 0.0,
               .help = "mean simulated latency, exponentially distributed",
               .min = 0},
              {.key = "memory.info-probability",
               .type = Type::real,
               .default_value = 0.0,
               .help = "how often the outcome of an operation stays unknown (half of them happened); no bug",
               .min = 0,
               .max = 1},
              {.key = "memory.fail-probability",
               .type = Type::real,
               .default_value = 0.0,
               .help = "how often an operation is refused; no bug",
               .min = 0,
               .max = 1},
              {.key = "memory.bank-accounts",
               .type = Type::integer,
               .default_value = 8,
               .help = "accounts of the bank",
               .min = 1},
              {.key = "memory.bank-balance",
               .type = Type::integer,
               .default_value = 10,
               .help = "what each of them begins with",
               .min = 0},
              {.key = "memory.key-ttl",
               .type = Type::duration,
               .default_value = 0.0,
               .help = "how long an idempotency key is taken; 0: for ever",
               .min = 0},
              {.key = "memory.seed",
               .type = Type::integer,
               .default_value = 0,
               .help = "seed of bugs and latencies",
               .min = 0},
          },
      .make = make,
      .check_options = [](const Options& options, const std::string& data_type) -> Result<void> {
        const std::string replication = options.string("memory.replication");
        if (auto known = memory::check_replication(replication, data_type); !known) return known;
        if (auto slow = check_slow_transactions(options, data_type, {"bank", "g2", "list-append", "rw-register"});
            !slow)
          return slow;
        return memory::check_bug(options.string("memory.bug"),
                                 replication == "causal" ? "causal " + data_type : data_type);
      },
      .needs_nodes = [](const Options&) { return false; },
  };
  for (OptionSpec& one : slow_transaction_options()) factory.options.push_back(std::move(one));
  return factory;
}

}  // namespace ordeal
