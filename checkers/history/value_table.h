#pragma once
// ValueTable: every distinct value of a history once, named by a small integer.
//
// Equal values have equal ids, so that checkers compare and hash 32-bit integers and never look at payloads (but for
// fresh lists, which a reader makes when it is asked to). Lists and maps are interned by the ids of their parts.
// Thread-safety: const methods from many threads; interning from one.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/value.h"

namespace ordeal {

using ValueId = std::uint32_t;
// The value nil (JSON null) always has this id.
inline constexpr ValueId kNil = 0;
// "There is no such field": an event without a key, or a completion that does not repeat its value.
inline constexpr ValueId kAbsent = 0xFFFFFFFFu;

class ValueTable {
 public:
  ValueTable();
  ValueTable(ValueTable&&) noexcept;
  ValueTable& operator=(ValueTable&&) noexcept;
  ~ValueTable();

  ValueId intern(const Value& value);
  ValueId integer(std::int64_t i);
  ValueId string(std::string_view text);
  ValueId boolean(bool b);
  ValueId real(double d);
  ValueId list(std::span<const ValueId> items);
  // Keys and values alternate: k0 v0 k1 v1 …, in any order; the entries are sorted by key id when stored.
  ValueId map(std::span<const ValueId> entries);

  // Lists that are stored one by one: no equal one is looked for, so two equal ones may have different ids. For values
  // that are only ever looked into, in histories of millions of them (transactions).
  ValueId fresh_list(std::span<const ValueId> items);
  // A list that grows and is read again and again. Readings that agree with what is known of it share its memory, so
  // that a list of n elements read at every length takes O(n), and as_list() of two such readings has the same data().
  struct Growing {
    std::uint64_t at = 0;
    std::uint32_t used = 0, room = 0;
    ValueId whole = kAbsent;  // the reading of all that is known
  };
  ValueId fresh_reading(Growing& list, std::span<const ValueId> items);

  // Takes over all values of another table: our id for each id of its. O(its size), without a look-up for fresh lists.
  std::vector<ValueId> absorb(const ValueTable& other);
  // Forgets everything but the memory. All ids become invalid.
  void clear();
  // Makes room for about so many values and parts of lists.
  void reserve(std::size_t values, std::size_t parts);

  [[nodiscard]] std::size_t size() const;
  [[nodiscard]] Value::Kind kind(ValueId id) const;
  // Requires: the value is of that kind (checked).
  [[nodiscard]] std::int64_t as_integer(ValueId id) const;
  [[nodiscard]] bool as_boolean(ValueId id) const;
  [[nodiscard]] double as_real(ValueId id) const;
  [[nodiscard]] std::string_view as_string(ValueId id) const;
  [[nodiscard]] std::span<const ValueId> as_list(ValueId id) const;
  [[nodiscard]] std::span<const ValueId> as_map(ValueId id) const;  // keys and values alternate
  // The id of a value that is already in the table, kAbsent otherwise.
  [[nodiscard]] ValueId find(const Value& value) const;
  // The id under a string key of a map, kAbsent otherwise.
  [[nodiscard]] ValueId member(ValueId map, std::string_view key) const;

  [[nodiscard]] Value to_value(ValueId id) const;       // kAbsent becomes nil
  [[nodiscard]] std::string to_json(ValueId id) const;  // "null" for kAbsent

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ordeal
