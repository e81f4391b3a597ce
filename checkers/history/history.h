#pragma once
// History: everything the clients saw, in order, as columns.
//
// A history is a list of events. An operation leaves an invocation and, mostly, a completion; each knows the index
// of the other. Columns keep a million operations in tens of megabytes and let a checker walk arrays. A History is
// made by HistoryBuilder, which refuses histories that contradict themselves, and does not change afterwards.
//
// What the fields mean is in doc/formats.md; `info` operations may take effect at any time after their
// invocation, or never; so may operations whose completion is missing.
//
// Thread-safety: a History is immutable and may be read from many threads; a builder belongs to one.

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "checkers/history/value_table.h"

namespace ordeal {

enum class EventType : std::uint8_t { invoke, ok, fail, info };
[[nodiscard]] std::string_view name(EventType type);
[[nodiscard]] std::optional<EventType> event_type(std::string_view name);

// The place of an event within a history, counted from 0.
using EventIndex = std::uint32_t;
inline constexpr EventIndex kNoEvent = 0xFFFFFFFFu;

// Client processes are 0 and up. Everything else that leaves events in a history has a negative number.
using ProcessId = std::int32_t;
inline constexpr ProcessId kNemesis = -1;
// Clients that a file calls by a name are numbered from here; the numbers of others are smaller.
inline constexpr ProcessId kFirstNamedClient = 1 << 30;

// Names of operations ("read", "cas", …) are numbered per history.
using FunctionId = std::uint16_t;
// On its way into a history, a completion may leave its function out: it is that of its invocation.
inline constexpr FunctionId kSameFunction = 0xFFFF;

// Why an operation did not end in ok: a class that programs read and a text that people read.
struct EventError {
  std::string kind;
  std::string message;
  friend bool operator==(const EventError&, const EventError&) = default;
};

// One event on its way into a history, with values already interned in the builder's table.
struct Event {
  std::int64_t index = -1;  // as the file numbers it; -1: the event's place is its index
  std::int64_t time = -1;   // ns since the run began; -1: not known
  ProcessId process = 0;
  EventType type = EventType::invoke;
  FunctionId f = 0;
  ValueId key = kAbsent;
  ValueId value = kAbsent;
  std::optional<EventError> error;
  std::uint64_t line = 0;  // where it stood in the file, for messages; 0: not from a file
};

// An operation of a client: its two events. `completion` is kNoEvent when the history ends before it.
struct OperationEvents {
  EventIndex invocation = kNoEvent;
  EventIndex completion = kNoEvent;
};

class History {
 public:
  History() = default;
  History(History&&) noexcept = default;
  History& operator=(History&&) noexcept = default;

  // Number of events.
  [[nodiscard]] std::size_t size() const { return type_.size(); }
  [[nodiscard]] bool empty() const { return type_.empty(); }

  [[nodiscard]] EventType type(EventIndex e) const { return type_[e]; }
  [[nodiscard]] ProcessId process(EventIndex e) const { return process_[e]; }
  [[nodiscard]] FunctionId f(EventIndex e) const { return f_[e]; }
  [[nodiscard]] std::string_view f_name(EventIndex e) const { return functions_[f_[e]]; }
  [[nodiscard]] ValueId key(EventIndex e) const { return key_[e]; }
  [[nodiscard]] ValueId value(EventIndex e) const { return value_[e]; }
  // ns since the run began, -1 when the file does not say.
  [[nodiscard]] std::int64_t time(EventIndex e) const { return time_.empty() ? -1 : time_[e]; }
  // The other event of the operation, kNoEvent when there is none (always for the nemesis).
  [[nodiscard]] EventIndex partner(EventIndex e) const { return partner_[e]; }
  // The number by which people know the event: the file's `index`, else its place.
  [[nodiscard]] std::int64_t index(EventIndex e) const { return index_.empty() ? e : index_[e]; }
  [[nodiscard]] const EventError* error(EventIndex e) const;

  // What the operation asked for or saw: the completion's value when it is ok and has one, else the invocation's.
  [[nodiscard]] ValueId operation_value(OperationEvents op) const;
  // How the operation ended; info when its completion is missing.
  [[nodiscard]] EventType outcome(OperationEvents op) const;
  // The operations of clients, in the order of their invocations. The nemesis' events are not among them.
  [[nodiscard]] std::vector<OperationEvents> operations() const;

  [[nodiscard]] const ValueTable& values() const { return values_; }
  [[nodiscard]] std::span<const std::string> functions() const { return functions_; }
  [[nodiscard]] std::optional<FunctionId> find_function(std::string_view name) const;
  // The name of a process: its number, "nemesis", or what the file called it (clients may have names, too).
  [[nodiscard]] std::string process_name(ProcessId process) const;

  // Who a run says its workers talked to: the node of worker i. It says nothing of clients that have names.
  void place_workers(std::vector<std::string> nodes) { worker_nodes_ = std::move(nodes); }
  // The node that a client talked to (placement.h); empty when it is not known.
  [[nodiscard]] std::string node_of(ProcessId process) const;
  // For people: "process 6 on n4", "process 6".
  [[nodiscard]] std::string client(ProcessId process) const;

  // One line for people: `3 cas k7 [1,2] -> ok [1,2]`.
  [[nodiscard]] std::string describe(OperationEvents op) const;

 private:
  friend class HistoryBuilder;
  std::vector<EventType> type_;
  std::vector<ProcessId> process_;
  std::vector<FunctionId> f_;
  std::vector<ValueId> key_;
  std::vector<ValueId> value_;
  std::vector<std::int64_t> time_;   // empty when no event has a time
  std::vector<std::int64_t> index_;  // empty when every index is the place
  std::vector<EventIndex> partner_;
  // The events with an error, ascending, and which of the different ones each has.
  std::vector<EventIndex> error_at_;
  std::vector<std::uint32_t> error_id_;
  std::vector<EventError> errors_;
  std::vector<std::string> functions_;
  std::vector<std::string> process_names_;  // of the processes -2, -3, …
  std::map<ProcessId, std::string> client_names_;
  std::vector<std::string> worker_nodes_;
  ValueTable values_;
};

// Makes a History event by event and refuses what cannot be: a completion without an invocation, a second open
// operation of a process, a completion of another function or key than was invoked. Their order is the order of the
// calls: a time that steps back is a remark, and where indices do not grow events are numbered by their place. After an
// `info` completion the same process may invoke again; the crashed operation stays open.
class HistoryBuilder {
 public:
  HistoryBuilder();

  [[nodiscard]] ValueTable& values() { return history_.values_; }
  // Numbers a function's name. At most 65,535 distinct names.
  [[nodiscard]] Result<FunctionId> function(std::string_view name);
  // Numbers a process that is no client ("nemesis" is kNemesis, others -2, -3, …).
  [[nodiscard]] ProcessId named_process(std::string_view name);
  // Numbers a client that has a name instead of a number: kFirstNamedClient and up. At most 2^20 of them.
  [[nodiscard]] Result<ProcessId> named_client(std::string_view name);
  // Makes room for about so many events.
  void reserve(std::size_t events);

  // Errors: input, naming the event and the one it contradicts. The history stays as it was before the call.
  [[nodiscard]] Result<void> add(const Event& event);

  [[nodiscard]] std::size_t size() const { return history_.size(); }
  // What people should know of the history, a sentence each; before finish().
  [[nodiscard]] std::vector<std::string> remarks() const;
  // The history of all events so far. The builder must not be used afterwards.
  [[nodiscard]] History finish();

 private:
  std::string where(EventIndex e) const;
  std::string where(const Event& event) const;

  History history_;
  std::vector<EventIndex> open_;                // by client process: its open operation
  std::vector<std::uint64_t> line_;             // by event, empty when no event came from a file
  std::map<ProcessId, EventIndex> open_other_;  // processes of large numbers
  std::map<std::string, ProcessId, std::less<>> client_ids_;
  std::map<std::pair<std::string, std::string>, std::uint32_t> error_ids_;  // by kind and message
  std::int64_t last_time_ = -1;
  std::int64_t last_index_ = -1;
  // Times and indices that are smaller than the one before, or the same index: how many, and where the first is.
  std::size_t times_back_ = 0, indices_back_ = 0;
  std::string first_time_back_, first_index_back_;
};

}  // namespace ordeal
