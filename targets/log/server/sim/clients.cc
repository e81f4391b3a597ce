// Clients: each does one operation after the other, by whichever node it believes to lead, and reaches every node,
// whatever is cut between nodes: so it may well ask a leader that was deposed.

#include <utility>

#include "targets/log/server/sim/world.h"

namespace ordeal::log::sim {

void World::start_clients() {
  budget_ = plan_.operations;
  clients_.resize(plan_.clients);
  for (unsigned i = 0; i < plan_.clients; ++i) {
    clients_[i].seen.assign(plan_.keys, 0);
    clients_[i].reads_only = i != 0 && client_rng_.chance(0.4);
    at(100 * kMillisecond + client_rng_.below(100 * kMillisecond), [this, i] { next_operation(i); });
  }
}

void World::next_operation(unsigned client) {
  if (healed_ || budget_ == 0) return;
  --budget_;
  Client& self = clients_[client];
  Command command;
  command.key = client_rng_.below(plan_.keys);
  command.call = self.reads_only || client_rng_.chance(0.4) ? Call::read
                 : plan_.cas && client_rng_.chance(0.4)     ? Call::cas
                                                            : Call::write;
  command.expected = self.seen[command.key];
  if (client_rng_.chance(0.2)) self.node = 1 + client_rng_.below(plan_.nodes);
  begin_operation(client, command, self.node);
}

void World::begin_operation(unsigned client, Command command, raft::NodeId to_node) {
  static constexpr const char* kFunctions[] = {"read", "write", "cas"};
  Client& self = clients_[client];
  command.operation = ++operations_;
  if (command.call != Call::read) command.value = command.operation;
  self.busy = true;
  self.operation = command.operation;
  self.f = history_.function(kFunctions[static_cast<std::size_t>(command.call)]).value();
  ValueTable& values = history_.values();
  ordeal::Event invocation;
  invocation.time = static_cast<std::int64_t>(now_ * 1000);
  invocation.process = static_cast<ProcessId>(client);
  invocation.type = EventType::invoke;
  invocation.f = self.f;
  invocation.key = values.integer(static_cast<std::int64_t>(command.key));
  const ValueId value = values.integer(static_cast<std::int64_t>(command.value));
  const ValueId both[] = {values.integer(static_cast<std::int64_t>(command.expected)), value};
  invocation.value = command.call == Call::read ? kNil : command.call == Call::write ? value : values.list(both);
  ORDEAL_CHECK(history_.add(invocation).has_value(), "the history refuses an invocation");

  const Operation operation{client, command, to_node};
  after(100 + client_rng_.below(1000), [this, operation] {
    Node& receiver = node(operation.node);
    reach(receiver, [this, &receiver, operation] { serve(receiver, operation); });
  });
  after(300 * kMillisecond + client_rng_.below(700 * kMillisecond), [this, operation] {
    clients_[operation.client].node = 1 + client_rng_.below(plan_.nodes);
    complete(operation, EventType::info, 0);
  });
}

void World::serve(Node& receiver, const Operation& operation) {
  if (operation.command.call == Call::read) {
    const std::uint64_t context = operation.command.operation;
    invariants_.read_begun(context);
    if (receiver.raft->read_index(context) == raft::Refusal::none) {
      receiver.reads[context] = {0, operation};
    } else {
      answer(receiver, operation, EventType::fail, 0);
    }
    return;
  }
  const raft::Proposed proposed = receiver.raft->propose(encode(operation.command));
  if (!proposed) {
    answer(receiver, operation, EventType::fail, 0);
    return;
  }
  receiver.writes[proposed.index] = {proposed.term, operation};
}

void World::serve_reads(Node& receiver) {
  std::erase_if(receiver.reads, [&](const auto& read) {
    const WaitingRead& waiting = read.second;
    if (waiting.index == 0 || waiting.index > receiver.applied) return false;
    answer(receiver, waiting.operation, EventType::ok, receiver.registers.read(waiting.operation.command.key));
    return true;
  });
}

// The answer travels to the client.
void World::answer(const Node& from, const Operation& operation, EventType type, std::uint64_t value) {
  const raft::NodeId leader = from.raft ? from.raft->leader() : raft::kNobody;
  after(100 + client_rng_.below(1000), [this, operation, type, value, leader] {
    Client& client = clients_[operation.client];
    if (client.busy && client.operation == operation.command.operation && leader != raft::kNobody) client.node = leader;
    complete(operation, type, value);
  });
}

void World::complete(const Operation& operation, EventType type, std::uint64_t value) {
  Client& client = clients_[operation.client];
  if (!client.busy || client.operation != operation.command.operation) return;  // it waits no longer
  client.busy = false;
  mix(operation.command.operation * 4 + static_cast<std::uint64_t>(type));
  ordeal::Event completion;
  completion.time = static_cast<std::int64_t>(now_ * 1000);
  completion.process = static_cast<ProcessId>(operation.client);
  completion.type = type;
  completion.f = client.f;
  const Command& command = operation.command;
  if (type == EventType::ok) {
    ++result_.operations_ok;
    const std::uint64_t seen = command.call == Call::read ? value : command.value;
    client.seen[command.key] = seen;
    if (command.call == Call::read) completion.value = history_.values().integer(static_cast<std::int64_t>(seen));
  } else {
    ++(type == EventType::fail ? result_.operations_failed : result_.operations_unknown);
    if (type == EventType::fail) ++budget_;
    if (type == EventType::fail) client.node = client.node % plan_.nodes + (client_rng_.chance(0.3) ? 1 : 0);
    if (client.node == raft::kNobody) client.node = 1;
    if (client.node > plan_.nodes) client.node = 1;
  }
  const Result<void> added = history_.add(completion);
  ORDEAL_CHECK(added.has_value(), "the history refuses a completion");
  const Time pause = type == EventType::fail ? 10 * kMillisecond : 0;
  after(pause + client_rng_.below(20 * kMillisecond), [this, i = operation.client] { next_operation(i); });
}

}  // namespace ordeal::log::sim
