#include "checkers/history/transaction_values.h"

#include <array>

namespace ordeal {

ValueId TransactionValues::read(ValueId key, std::span<const ValueId> items) {
  if (r_ == kAbsent) r_ = values_.string("r");
  read_lists_ = true;
  Key& known = keys_[key];
  const ValueId before = known.list.whole;
  const ValueId list = values_.fresh_reading(known.list, items);
  if (list == before && known.list_read != kAbsent) return known.list_read;
  const ValueId out = values_.fresh_list(std::array{r_, key, list});
  if (list == known.list.whole) known.list_read = out;
  return out;
}

ValueId TransactionValues::micro_operation(std::string_view f, ValueId key, ValueId value) {
  if (f == "r" && value == kNil) {
    if (r_ == kAbsent) r_ = values_.string("r");
    Key& known = keys_[key];
    if (known.unread == kAbsent) known.unread = values_.fresh_list(std::array{r_, key, kNil});
    return known.unread;
  }
  if (f == "append") {
    if (append_ == kAbsent) append_ = values_.string("append");
    return values_.fresh_list(std::array{append_, key, value});
  }
  if (f != "w" && f != "r") return kAbsent;
  if (f == "r" && r_ == kAbsent) r_ = values_.string("r");
  wrote_ = wrote_ || f == "w";
  return values_.fresh_list(std::array{values_.string(f), key, value});
}

void TransactionValues::note_plain(ValueId value) {
  if (value == kAbsent || values_.kind(value) != Value::Kind::list) return;
  for (const ValueId micro : values_.as_list(value)) {
    if (values_.kind(micro) != Value::Kind::list) continue;
    const auto parts = values_.as_list(micro);
    if (parts.size() != 3 || values_.kind(parts[0]) != Value::Kind::string) continue;
    const std::string_view f = values_.as_string(parts[0]);
    wrote_ = wrote_ || f == "w" || f == "write";
    read_lists_ = read_lists_ || ((f == "r" || f == "read") && values_.kind(parts[2]) == Value::Kind::list);
  }
}

void TransactionValues::absorb(const TransactionValues& other) {
  if (other.r_ != kAbsent) r_ = values_.string("r");
  if (other.append_ != kAbsent) append_ = values_.string("append");
  read_lists_ = read_lists_ || other.read_lists_;
  wrote_ = wrote_ || other.wrote_;
}

}  // namespace ordeal
