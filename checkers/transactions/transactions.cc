#include "checkers/transactions/transactions.h"

#include <algorithm>
#include <vector>

namespace ordeal::txn {
namespace {

class Columns {
 public:
  Columns(const History& history, MicroKind write, const Limits& limits, NilReads nil_reads)
      : limits_(limits),
        nil_reads_(nil_reads),
        history_(history),
        values_(history.values()),
        write_(write),
        key_index_(values_.size(), kNone) {
    for (const char* name : {"r", "read"}) read_ids_.push_back(values_.find(Value(name)));
    for (const char* name : {"w", "write"}) write_ids_.push_back(values_.find(Value(name)));
    if (write == MicroKind::append) write_ids_ = {values_.find(Value("append"))};
    for (auto* ids : {&read_ids_, &write_ids_}) std::erase(*ids, kAbsent);
    out_.first.push_back(0);
  }

  Result<Transactions> run() {
    const auto operations = history_.operations();
    out_.invocation.reserve(operations.size());
    for (std::size_t i = 0; i < operations.size(); ++i) {
      if (i % kTransactionsALook == 0) limits_.check();
      const OperationEvents op = operations[i];
      if (auto added = add(op); !added) return tl::unexpected<Error>(added.error());
    }
    return std::move(out_);
  }

 private:
  tl::unexpected<Error> problem(OperationEvents op, const std::string& what) const {
    return fail(ErrorCode::input, "operation " + std::to_string(history_.index(op.invocation)) + " (" +
                                      history_.describe(op) + "): " + what);
  }

  Result<void> add(OperationEvents op) {
    const EventType type = history_.outcome(op);
    const Outcome outcome = type == EventType::ok     ? Outcome::ok
                            : type == EventType::fail ? Outcome::fail
                                                      : Outcome::info;
    ValueId seen = kAbsent;
    if (outcome == Outcome::ok && op.completion != kNoEvent) seen = history_.value(op.completion);
    if (seen == kNil) seen = kAbsent;
    // In a history of completions alone there is nothing but those.
    const ValueId asked = history_.value(op.invocation) == kAbsent ? seen : history_.value(op.invocation);
    if (asked == kAbsent || values_.kind(asked) != Value::Kind::list) {
      return problem(op, "expected a transaction, a list of micro-operations [f, key, value]");
    }
    if (seen != kAbsent &&
        (values_.kind(seen) != Value::Kind::list || values_.as_list(seen).size() != values_.as_list(asked).size())) {
      return problem(op, "the completion is not a transaction of as many micro-operations as were invoked");
    }
    const auto asked_ops = values_.as_list(asked);
    const std::size_t before = out_.micro.size();
    for (std::size_t i = 0; i < asked_ops.size(); ++i) {
      const ValueId result = seen == kAbsent ? kAbsent : values_.as_list(seen)[i];
      if (auto added = add_micro(op, asked_ops[i], result); !added) return added;
    }
    const bool reads = std::any_of(out_.micro.begin() + static_cast<std::ptrdiff_t>(before), out_.micro.end(),
                                   [](const MicroOp& one) { return one.kind == MicroKind::read; });
    if (outcome == Outcome::ok && seen == kAbsent && reads && out_.unrecorded.empty()) {
      out_.unrecorded = "what the transaction of event " + std::to_string(history_.index(op.invocation)) +
                        " read was not recorded, so nobody knows whether it is allowed";
    }
    out_.invocation.push_back(op.invocation);
    out_.completion.push_back(outcome == Outcome::ok ? op.completion : kNoEvent);
    out_.process.push_back(history_.process(op.invocation));
    out_.outcome.push_back(outcome);
    out_.first.push_back(static_cast<std::uint32_t>(out_.micro.size()));
    return {};
  }

  Result<void> add_micro(OperationEvents op, ValueId asked, ValueId result) {
    const bool list = values_.kind(asked) == Value::Kind::list;
    const auto parts = list ? values_.as_list(asked) : std::span<const ValueId>();
    const auto among = [](const std::vector<ValueId>& ids, ValueId id) {
      return std::find(ids.begin(), ids.end(), id) != ids.end();
    };
    if (parts.size() != 3 && !(parts.size() == 2 && among(read_ids_, parts[0]))) {
      return problem(op, "expected a micro-operation [f, key, value], found " + values_.to_json(asked));
    }
    MicroOp micro;
    if (among(read_ids_, parts[0])) {
      micro.kind = MicroKind::read;
    } else if (among(write_ids_, parts[0])) {
      micro.kind = write_;
    } else {
      return problem(op, "a micro-operation \"" + values_.to_json(parts[0]) +
                             "\" is not known here; expected \"r\" or " +
                             (write_ == MicroKind::append ? "\"append\"" : "\"w\""));
    }
    micro.key = key(parts[1]);
    if (micro.kind != MicroKind::read) micro.value = parts[2];
    if (result != kAbsent) {
      const bool triple = values_.kind(result) == Value::Kind::list && values_.as_list(result).size() == 3;
      const auto done = triple ? values_.as_list(result) : std::span<const ValueId>();
      if (!triple || done[0] != parts[0] || done[1] != parts[1] ||
          (micro.kind != MicroKind::read && done[2] != parts[2])) {
        return problem(op, "asked for " + values_.to_json(asked) + " and completed as " + values_.to_json(result));
      }
      out_.reads += micro.kind == MicroKind::read;
      if (micro.kind == MicroKind::read) micro.value = done[2];
      if (micro.value == kNil && micro.kind == MicroKind::read && nil_reads_ == NilReads::unknown)
        micro.value = kAbsent;
    }
    if (write_ == MicroKind::append && micro.kind == MicroKind::read && micro.value != kAbsent && micro.value != kNil &&
        values_.kind(micro.value) != Value::Kind::list) {
      return problem(op, "expected a list or nil to be read from a list, found " + values_.to_json(micro.value));
    }
    out_.micro.push_back(micro);
    return {};
  }

  KeyIndex key(ValueId id) {
    if (key_index_[id] == kNone) {
      key_index_[id] = static_cast<KeyIndex>(out_.keys.size());
      out_.keys.push_back(id);
    }
    return key_index_[id];
  }

  static constexpr std::size_t kTransactionsALook = 10'000;
  const Limits& limits_;
  NilReads nil_reads_;
  const History& history_;
  const ValueTable& values_;
  MicroKind write_;
  std::vector<ValueId> read_ids_, write_ids_;  // the names of micro-operations that occur
  std::vector<KeyIndex> key_index_;            // by ValueId
  Transactions out_;
};

}  // namespace

Result<Transactions> transactions_of(const History& history, MicroKind write, const Limits& limits,
                                     NilReads nil_reads) {
  return Columns(history, write, limits, nil_reads).run();
}

std::string guess_model(const History& history) {
  const ValueTable& values = history.values();
  const ValueId append = values.find(Value("append"));
  if (append == kAbsent) return "rw-register";
  for (const OperationEvents op : history.operations()) {
    const ValueId value = history.operation_value(op);
    if (value == kAbsent || values.kind(value) != Value::Kind::list) continue;
    for (const ValueId micro : values.as_list(value)) {
      if (values.kind(micro) != Value::Kind::list) continue;
      const auto parts = values.as_list(micro);
      if (!parts.empty() && parts[0] == append) return "list-append";
    }
  }
  return "rw-register";
}

}  // namespace ordeal::txn
