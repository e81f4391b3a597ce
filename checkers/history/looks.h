#pragma once
// Looks: what the operations of a history's clients show at a glance, for whoever wants to know of which model it is.
// Thread-safety: immutable once made.

#include <initializer_list>
#include <set>
#include <string>

#include "checkers/history/history.h"

namespace ordeal {

class Looks {
 public:
  explicit Looks(const History& history);

  [[nodiscard]] const std::set<std::string>& functions() const { return fs_; }
  [[nodiscard]] bool has(const char* f) const { return fs_.contains(f); }
  // No function but these.
  [[nodiscard]] bool within(std::initializer_list<const char*> allowed) const;
  // Some value is a list that holds a micro-operation [f, …].
  [[nodiscard]] bool any_micro(const char* f) const { return micros_.contains(f); }
  // All ok reads returned values of this kind; nil ones say nothing.
  [[nodiscard]] bool reads(Value::Kind kind) const { return read_kinds_.size() == 1 && read_kinds_.contains(kind); }
  // Reads were invoked with [key nil].
  [[nodiscard]] bool tuples() const { return tuples_; }
  // Reads were invoked with something: a key, perhaps.
  [[nodiscard]] bool reads_ask() const { return reads_ask_; }
  // Reads returned rows with a time stamp (sts).
  [[nodiscard]] bool rows() const { return rows_; }
  // A write of a list: then reads of lists are nothing special.
  [[nodiscard]] bool writes_lists() const { return writes_lists_; }

 private:
  void look(const History& history, EventIndex e);
  void micro_operations(const ValueTable& values, std::span<const ValueId> parts);

  std::set<std::string> fs_, micros_;
  FunctionId last_ = kSameFunction;
  ValueId last_micro_ = kAbsent;
  std::set<Value::Kind> read_kinds_;
  bool tuples_ = false, reads_ask_ = false, rows_ = false, writes_lists_ = false;
};

}  // namespace ordeal
