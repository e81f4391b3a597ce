#include "targets/process/process_target.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <utility>

#include "base/text.h"
#include "harness/interfaces/forwarding_target.h"
#include "targets/process/process_client.h"
#include "targets/process/shell_database.h"
#include "targets/process/words.h"

namespace ordeal {
namespace {

using std::chrono::seconds;

std::vector<std::string> listed(const std::string& text) {
  std::vector<std::string> out;
  std::string word;
  for (const char c : text + ",") {
    if (c != ',' && c != ' ') {
      word += c;
    } else if (!word.empty()) {
      out.push_back(std::exchange(word, {}));
    }
  }
  return out;
}

Result<AdapterSetup> adapter_setup(const Options& options) {
  auto words = split_words(options.string("process.command"));
  if (!words) return fail(words.error().during("option process.command"));
  if (auto program = find_executable(words->front()); !program) {
    return fail(ErrorCode::usage, "option process.command: " + program.error().message);
  }
  AdapterSetup setup;
  setup.words = std::move(*words);
  setup.variables = split(options.string("process.environment"), ',');
  setup.label = "adapter";
  setup.max_line_bytes = static_cast<std::size_t>(options.integer("process.max-line-bytes"));
  return setup;
}

bool needs_nodes_with(const Options& options) { return options.string("process.database") != "none"; }

Result<std::vector<std::string>> operations_with(const Options& options) {
  if (auto named = listed(options.string("process.operations")); !named.empty()) return named;
  const auto setup = adapter_setup(options);
  if (!setup) return fail(setup.error());
  auto described = describe_adapter(*setup, Deadline::after(seconds(30)));
  if (!described) return fail(described.error());
  return std::move(described->operations);
}

// How many clients one program is to serve.
Result<std::size_t> clients_with(const Options& options, const AdapterSetup& setup) {
  const auto wanted = static_cast<std::size_t>(options.integer("process.clients"));
  if (wanted == 1) return wanted;
  if (!options.string("process.operations").empty()) return std::max<std::size_t>(wanted, 1);
  auto described = describe_adapter(setup, Deadline::after(seconds(30)));
  if (!described) return fail(described.error());
  return wanted == 0 ? described->clients : std::min(wanted, described->clients);
}

// Nobody installs, starts or kills the system.
class NoDatabase final : public Target {
 public:
  std::string_view name() const override { return "none"; }
  Result<std::unique_ptr<Client>> client(std::size_t) override {
    return fail(ErrorCode::unsupported, "no database makes no clients");
  }
};

// Clients of its own; the database half is the other target's.
class ProcessTarget : public ForwardingTarget, private Target::ClientSetup {
 public:
  ProcessTarget(Cluster& cluster, const Options& options, AdapterSetup setup, std::size_t clients,
                std::unique_ptr<Target> database)
      : ForwardingTarget(*database),
        cluster_(cluster),
        endpoints_(listed(options.string("process.endpoints"))),
        by_commands_(options.string("process.database") == "commands"),
        setup_(std::move(setup)),
        clients_(clients),
        database_(std::move(database)) {
    setup_.log = std::make_shared<AdapterLog>();
    if (clients > 1) shared_ = std::make_shared<SharedAdapters>(setup_, clients);
  }

  std::string_view name() const override { return "process"; }
  Result<std::unique_ptr<Client>> client(std::size_t node) override;
  Target::ClientSetup* client_setup() override { return this; }

 private:
  void use(std::string_view data_type) override { data_type_ = data_type; }
  // Four pipes and their like for each program.
  Cost cost() const override {
    const double programs = 1.0 / static_cast<double>(clients_);
    return {4 * programs, programs};
  }
  void log_to(std::function<void(std::string_view)> log) override { setup_.log->set_sink(std::move(log)); }
  // A database that is lent knows other clients; one of commands has none but its process.setup.
  Result<void> prepare(Deadline deadline) override {
    Target::ClientSetup* const database = by_commands_ ? database_->client_setup() : nullptr;
    return database == nullptr ? Result<void>() : database->prepare(deadline);
  }

  Cluster& cluster_;
  std::vector<std::string> endpoints_;
  const bool by_commands_;
  std::atomic<std::size_t> next_endpoint_ = 0;
  std::string data_type_;
  AdapterSetup setup_;
  const std::size_t clients_;               // of one program
  std::shared_ptr<SharedAdapters> shared_;  // nullptr: each client has a program of its own
  std::unique_ptr<Target> database_;
};

Value describe_node(const Cluster& cluster, std::size_t i) {
  return Value::map(
      {{"name", cluster.at(i).name()}, {"address", cluster.at(i).address()}, {"index", static_cast<std::int64_t>(i)}});
}

Result<std::unique_ptr<Client>> ProcessTarget::client(std::size_t node) {
  AdapterSetup setup = setup_;
  Value nodes = Value::list();
  for (std::size_t i = 0; i < cluster_.size(); ++i) nodes.items().push_back(describe_node(cluster_, i));
  Value greeting = Value::map({{"data_type", data_type_}});
  greeting.set("node", node < cluster_.size() ? describe_node(cluster_, node) : Value());
  greeting.set("nodes", std::move(nodes));
  greeting.set("endpoint", endpoints_.empty() ? Value() : Value(endpoints_[next_endpoint_++ % endpoints_.size()]));
  if (node < cluster_.size()) setup.label = "adapter of " + cluster_.at(node).name();
  return std::make_unique<ProcessClient>(std::move(setup), std::move(greeting), shared_);
}

}  // namespace

Result<std::unique_ptr<Target>> make_process_target(Cluster& cluster, const Options& options,
                                                    std::unique_ptr<Target> database) {
  auto setup = adapter_setup(options);
  if (!setup) return fail(setup.error());
  if (options.string("process.database") == "commands") {
    auto commands = make_shell_database(cluster, options);
    if (!commands) return fail(commands.error());
    database = std::move(*commands);
  } else {
    for (const auto& spec : shell_database_options()) {
      if (spec.type != OptionSpec::Type::string || options.origin(spec.key) == "default") continue;
      if (!options.string(spec.key).empty())
        return fail(ErrorCode::usage, spec.key + " is used with process.database=commands only");
    }
  }
  if (!database) database = std::make_unique<NoDatabase>();
  const auto clients = clients_with(options, *setup);
  if (!clients) return fail(clients.error());
  return std::make_unique<ProcessTarget>(cluster, options, std::move(*setup), *clients, std::move(database));
}

TargetFactory process_target() {
  using Type = OptionSpec::Type;
  TargetFactory factory;
  factory.name = "process";
  factory.help = "clients in any language: a program that speaks JSON lines (targets/process/PROTOCOL.md)";
  // Which operations there are only the adapter knows: operations_with() asks it.
  factory.options = {
      {"process.command", Type::string, "", "the adapter and its arguments, as for a shell: \"python3 my_adapter.py\""},
      {"process.environment", Type::string, "",
       "variables of the environment that adapters get, too, e.g. MY_TOKEN,MY_URL; else only the usual ones (PATH, "
       "LANG, …)"},
      {"process.operations", Type::string, "",
       "the operations it understands, e.g. read,write,cas; empty: it is asked"},
      {"process.clients", Type::integer, std::int64_t{0},
       "workers that one adapter serves at once; 0: as many as it says in `describe`, one when it is not asked", 0,
       100'000},
      {"process.endpoints", Type::string, "", "addresses of an existing system, dealt out to the adapters in turn"},
      {"process.max-line-bytes", Type::integer, std::int64_t{4} << 20, "a longer reply is a flood", 1024, 1e9},
      {"process.database",
       Type::string,
       "none",
       "who installs, starts and kills the system: nobody, the commands below, or the target of that name",
       std::nullopt,
       std::nullopt,
       {"none", "commands"}},
  };
  for (auto& option : shell_database_options()) factory.options.push_back(std::move(option));
  factory.operations_with = operations_with;
  factory.needs_nodes = needs_nodes_with;
  return factory;
}

}  // namespace ordeal
