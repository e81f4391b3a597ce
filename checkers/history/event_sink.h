#pragma once
// EventSink: what all readers of histories share: from the fields of one event, as a file spells them, to an event of
// the history. It numbers functions and processes, takes [key value] tuples apart, and puts file and line before the
// messages of the builder.
//
// Thread-safety: one thread at a time.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "checkers/history/history.h"
#include "checkers/history/reader.h"
#include "checkers/history/transaction_values.h"

namespace ordeal {

// The fields of an event while it is being read. `process_name` borrows from the text.
struct RawEvent {
  bool has_process = false;
  bool has_type = false;
  bool has_error = false;
  bool tuple = false;  // the value is tagged as a [key value] tuple
  EventType type = EventType::invoke;
  FunctionId f = kSameFunction;  // as it stands while no function was given
  std::int64_t process = 0;
  std::int64_t index = -1;
  std::int64_t time = -1;
  ValueId key = kAbsent;
  ValueId value = kAbsent;
  std::uint64_t line = 0;
  std::string process_name;  // when the process is no number, or a number too large for a client
  EventError error;

  void clear();
};

// What readers see of a sink.
class EventSink {
 public:
  EventSink(std::string_view name, const ReadOptions& options, ValueTable& values)
      : name_(name), options_(options), values_(values) {
    // The key of a tuple may be a list, and keys are compared by number.
    if (options.transactions && !options.independent) transactions_.emplace(values);
  }
  virtual ~EventSink() = default;
  EventSink(const EventSink&) = delete;
  EventSink& operator=(const EventSink&) = delete;

  [[nodiscard]] ValueTable& values() { return values_; }
  // Where the micro-operations of transactions go; nullptr when they are values like others.
  [[nodiscard]] TransactionValues* transactions() { return transactions_ ? &*transactions_ : nullptr; }
  [[nodiscard]] virtual Result<FunctionId> function(std::string_view name) = 0;
  // ":read" as "read": some programs write Clojure's keywords into JSON as they print.
  [[nodiscard]] static std::string_view without_colons(std::string_view name) {
    while (name.size() > 1 && name.front() == ':') name.remove_prefix(1);
    return name;
  }
  // Takes "invoke", ":invoke", …
  [[nodiscard]] static bool set_type(RawEvent& event, std::string_view text);
  // A process that is spelled in letters. Digits in a string count as a number.
  static void set_process(RawEvent& event, std::string_view text);
  static void set_process(RawEvent& event, std::int64_t number);
  // An error as the file holds it, in whatever form.
  static void set_error(RawEvent& event, const Value& error);
  // Tells the table of transactions of a value that was not read micro-operation by micro-operation.
  void note_plain(ValueId value) {
    if (transactions_) transactions_->note_plain(value);
  }

  // Errors: input, with file and line.
  [[nodiscard]] virtual Result<void> add(RawEvent& event) = 0;
  virtual void reserve(std::size_t) {}
  // An error at a place of the file.
  [[nodiscard]] tl::unexpected<Error> broken(std::uint64_t line, std::size_t column, std::string_view what) const;

  void note(std::string text) { notes_.push_back(std::move(text)); }
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const ReadOptions& options() const { return options_; }

 protected:
  std::string name_;
  ReadOptions options_;
  ValueTable& values_;
  std::optional<TransactionValues> transactions_;
  std::vector<std::string> notes_;
};

// Makes the history.
class HistorySink final : private HistoryBuilder, public EventSink {
 public:
  HistorySink(std::string_view name, const ReadOptions& options) : EventSink(name, options, HistoryBuilder::values()) {}

  using EventSink::values;
  [[nodiscard]] Result<FunctionId> function(std::string_view name) override {
    return HistoryBuilder::function(without_colons(name));
  }
  [[nodiscard]] Result<void> add(RawEvent& event) override;
  void reserve(std::size_t events) override { HistoryBuilder::reserve(events); }
  // Errors: input when there is not a single event.
  [[nodiscard]] Result<ReadHistory> finish(HistoryFormat format);

 private:
  Result<ProcessId> process(const RawEvent& event);
  Result<ProcessId> process_of_nobody(const RawEvent& event);
  std::string split_tuple(RawEvent& event);
  Result<void> give(const Event& event);
  Result<void> invocation_came();
  Result<void> complete_alone();

  std::unordered_map<std::string, ProcessId> named_;
  // Operations whose events name no process, each of which gets one of its own.
  struct Nobodys {
    FunctionId f;
    ValueId value;
    ProcessId process;
  };
  std::vector<Nobodys> open_;  // those not completed
  // Everything before the first invocation: the nemesis' events, or a history of completions alone.
  std::vector<Event> before_;
  bool completions_alone_ = false;  // before_ holds completions of clients
  bool invoked_ = false;            // an invocation has come
  std::size_t nobodys_ = 0;
};

// Line and column, counted from 1, of an offset within a text.
struct TextPlace {
  std::uint64_t line = 1;
  std::size_t column = 1;
};
[[nodiscard]] TextPlace place_of(std::string_view text, std::size_t offset);

// Counts line ends between places of one text, so that walking it costs one pass.
class LineCounter {
 public:
  explicit LineCounter(std::string_view text) : text_(text) {}
  // The line of `offset`. Requires: offsets do not decrease from call to call.
  std::uint64_t line_at(std::size_t offset);

 private:
  std::string_view text_;
  std::size_t at_ = 0;
  std::uint64_t line_ = 1;
};

// The readers, one for each family of formats. `text` has no byte order mark and is not empty.
[[nodiscard]] Result<void> read_json_lines(std::string_view text, EventSink& sink);
[[nodiscard]] Result<void> read_json_stream(std::string_view text, EventSink& sink);
[[nodiscard]] Result<void> read_edn(std::string_view text, EventSink& sink);
// A part of an EDN text that was cut between events. `brackets`: what closes the vectors and lists that are open,
// before and after; '#' at their end stands for a tag whose event did not come.
[[nodiscard]] Result<void> read_edn_part(std::string_view text, EventSink& sink, std::string& brackets);
[[nodiscard]] Result<void> read_jepsen_log(std::string_view text, EventSink& sink);

}  // namespace ordeal
