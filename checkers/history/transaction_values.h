#pragma once
// TransactionValues: keeps the values of transactions small and quick to make while a history is read.
//
// A transaction is a list of micro-operations ["append" k v], ["w" k v], ["r" k seen]. Almost no two are equal, so
// looking for an equal one costs time and finds none: they are stored as fresh lists (ValueTable). What was read from a
// list mostly continues what was read from it before, so all readings of one key share memory. Keys and elements are
// interned as ever; checkers compare those.
//
// A history whose reads are lists and whose writes are "w" (a register that holds lists) must be read without, since
// its reads would not equal what was written; mixed() tells. Thread-safety: one thread at a time.

#include <boost/unordered/unordered_flat_map.hpp>
#include <span>
#include <string_view>

#include "checkers/history/value_table.h"

namespace ordeal {

class TransactionValues {
 public:
  explicit TransactionValues(ValueTable& values) : values_(values) {}

  // ["r" key items].
  ValueId read(ValueId key, std::span<const ValueId> items);
  // Any other micro-operation. kAbsent when `f` is none of them, and nothing was stored.
  ValueId micro_operation(std::string_view f, ValueId key, ValueId value);

  // Looks at a value that was stored among the others, since it was not read in the usual way: written lists in it are
  // not to be told from readings of lists by their number.
  void note_plain(ValueId value);

  // Something was stored here.
  [[nodiscard]] bool stored() const { return r_ != kAbsent || append_ != kAbsent || wrote_; }
  [[nodiscard]] bool mixed() const { return read_lists_ && wrote_; }
  // What `other` did was done here, too.
  void absorb(const TransactionValues& other);

 private:
  struct Key {
    ValueTable::Growing list;
    ValueId list_read = kAbsent;  // ["r" key all of it]
    ValueId unread = kAbsent;     // ["r" key nil]
  };

  ValueTable& values_;
  boost::unordered_flat_map<ValueId, Key> keys_;
  ValueId r_ = kAbsent, append_ = kAbsent;
  bool read_lists_ = false, wrote_ = false;
};

}  // namespace ordeal
