#include "checkers/history/value_table.h"

#include <algorithm>
#include <array>
#include <bit>
#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/unordered/unordered_flat_set.hpp>
#include <cstring>

namespace ordeal {
namespace {

using Kind = Value::Kind;

std::uint64_t mix(std::uint64_t h, std::uint64_t w) {
  h ^= w;
  h *= 0x9E3779B97F4A7C15ull;
  return h ^ (h >> 32);
}

// One interned value. Scalars live in `payload`; strings, lists, maps and the digits of reals that no double is equal
// to are [payload, payload + length) of the table's bytes or ids.
struct Slot {
  Kind kind = Kind::nil;
  bool fresh = false;  // a list that is not in the table of distinct ones
  std::uint32_t length = 0;
  std::uint64_t payload = 0;
};
constexpr std::int64_t kSmall = 4096;  // integers below have a table of their own

}  // namespace

struct ValueTable::Impl {
  std::vector<Slot> slots;
  std::vector<char> bytes;
  std::vector<ValueId> parts;
  boost::unordered_flat_map<std::int64_t, ValueId> integers;
  std::array<ValueId, kSmall> small;  // by integer
  bool any_fresh = false;

  Impl() { small.fill(kAbsent); }

  // The table of strings, reals, lists and maps holds ids; a candidate is compared without being stored.
  struct Candidate {
    Kind kind;
    std::uint64_t scalar;
    std::string_view text;
    std::span<const ValueId> ids;
  };
  struct Hash {
    using is_transparent = void;
    using is_avalanching = void;
    const Impl* impl;
    std::size_t operator()(const Candidate& c) const {
      std::uint64_t h = mix(static_cast<std::uint64_t>(c.kind) + 1, c.scalar);
      for (std::size_t i = 0; i < c.text.size(); i += 8) {
        std::uint64_t word = 0;
        std::memcpy(&word, c.text.data() + i, std::min<std::size_t>(8, c.text.size() - i));
        h = mix(h, word);
      }
      for (const ValueId id : c.ids) h = mix(h, id);
      return static_cast<std::size_t>(mix(h, c.text.size() + c.ids.size()));
    }
    std::size_t operator()(ValueId id) const { return (*this)(impl->candidate(id)); }
  };
  struct Equal {
    using is_transparent = void;
    const Impl* impl;
    static bool same(const Candidate& a, const Candidate& b) {
      return a.kind == b.kind && a.scalar == b.scalar && a.text == b.text && a.ids.size() == b.ids.size() &&
             (a.ids.empty() || std::memcmp(a.ids.data(), b.ids.data(), a.ids.size_bytes()) == 0);
    }
    bool operator()(const Candidate& a, ValueId b) const { return same(a, impl->candidate(b)); }
    bool operator()(ValueId a, const Candidate& b) const { return same(impl->candidate(a), b); }
    bool operator()(ValueId a, ValueId b) const { return a == b; }
  };
  boost::unordered_flat_set<ValueId, Hash, Equal> others{0, Hash{this}, Equal{this}};

  Candidate candidate(ValueId id) const {
    const Slot& s = slots[id];
    Candidate c{s.kind, 0, {}, {}};
    if (s.kind == Kind::string || (s.kind == Kind::real && s.length > 0)) {
      c.text = {bytes.data() + s.payload, s.length};
    } else if (s.kind == Kind::list || s.kind == Kind::map) {
      c.ids = {parts.data() + s.payload, s.length};
    } else {
      c.scalar = s.payload;
    }
    return c;
  }

  ValueId add(Slot slot) {
    ORDEAL_CHECK(slots.size() < kAbsent, "more than 2^32 distinct values");
    slots.push_back(slot);
    return static_cast<ValueId>(slots.size() - 1);
  }

  ValueId intern(const Candidate& c) {
    if (const auto found = others.find(c); found != others.end()) return *found;
    Slot slot{c.kind, false, 0, c.scalar};
    if (c.kind == Kind::string || !c.text.empty()) {
      slot = {c.kind, false, static_cast<std::uint32_t>(c.text.size()), bytes.size()};
      bytes.insert(bytes.end(), c.text.begin(), c.text.end());
    } else if (c.kind == Kind::list || c.kind == Kind::map) {
      slot = {c.kind, false, static_cast<std::uint32_t>(c.ids.size()), parts.size()};
      parts.insert(parts.end(), c.ids.begin(), c.ids.end());
    }
    const ValueId id = add(slot);
    others.insert(id);
    return id;
  }
};

ValueTable::ValueTable() : impl_(std::make_unique<Impl>()) { impl_->add({}); }
ValueTable::ValueTable(ValueTable&&) noexcept = default;
ValueTable& ValueTable::operator=(ValueTable&&) noexcept = default;
ValueTable::~ValueTable() = default;

std::size_t ValueTable::size() const { return impl_->slots.size(); }
Kind ValueTable::kind(ValueId id) const { return impl_->slots[id].kind; }

ValueId ValueTable::integer(std::int64_t i) {
  const bool small = i >= 0 && i < kSmall;
  if (small && impl_->small[static_cast<std::size_t>(i)] != kAbsent) return impl_->small[static_cast<std::size_t>(i)];
  const auto [it, inserted] = impl_->integers.try_emplace(i, 0);
  if (inserted) it->second = impl_->add({Kind::integer, false, 0, std::bit_cast<std::uint64_t>(i)});
  if (small) impl_->small[static_cast<std::size_t>(i)] = it->second;
  return it->second;
}
ValueId ValueTable::string(std::string_view text) { return impl_->intern({Kind::string, 0, text, {}}); }
ValueId ValueTable::boolean(bool b) { return impl_->intern({Kind::boolean, b ? 1u : 0u, {}, {}}); }
ValueId ValueTable::real(double d) {
  if (d == 0) d = 0;  // -0.0 and 0.0 are the same observation
  return impl_->intern({Kind::real, std::bit_cast<std::uint64_t>(d), {}, {}});
}
ValueId ValueTable::list(std::span<const ValueId> items) { return impl_->intern({Kind::list, 0, {}, items}); }
ValueId ValueTable::map(std::span<const ValueId> entries) {
  std::vector<std::pair<ValueId, ValueId>> pairs;
  for (std::size_t i = 0; i + 1 < entries.size(); i += 2) pairs.emplace_back(entries[i], entries[i + 1]);
  std::stable_sort(pairs.begin(), pairs.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<ValueId> flat;
  for (const auto& [k, v] : pairs) {
    flat.push_back(k);
    flat.push_back(v);
  }
  return impl_->intern({Kind::map, 0, {}, flat});
}

ValueId ValueTable::fresh_list(std::span<const ValueId> items) {
  const Slot slot{Kind::list, true, static_cast<std::uint32_t>(items.size()), impl_->parts.size()};
  impl_->parts.insert(impl_->parts.end(), items.begin(), items.end());
  impl_->any_fresh = true;
  return impl_->add(slot);
}

ValueId ValueTable::fresh_reading(Growing& list, std::span<const ValueId> items) {
  auto& parts = impl_->parts;
  const std::size_t common = std::min<std::size_t>(items.size(), list.used);
  if (!std::equal(items.begin(), items.begin() + static_cast<std::ptrdiff_t>(common),
                  parts.begin() + static_cast<std::ptrdiff_t>(list.at))) {
    return fresh_list(items);
  }
  if (items.size() == list.used && list.whole != kAbsent) return list.whole;
  if (items.size() > list.room) {
    list.at = parts.size();
    list.room = static_cast<std::uint32_t>(std::max<std::size_t>(8, 2 * items.size()));
    parts.resize(parts.size() + list.room, kNil);
    std::copy(items.begin(), items.end(), parts.begin() + static_cast<std::ptrdiff_t>(list.at));
  } else if (items.size() > list.used) {
    std::copy(items.begin() + list.used, items.end(), parts.begin() + static_cast<std::ptrdiff_t>(list.at + list.used));
  }
  impl_->any_fresh = true;
  const ValueId id = impl_->add({Kind::list, true, static_cast<std::uint32_t>(items.size()), list.at});
  if (items.size() >= list.used) {
    list.used = static_cast<std::uint32_t>(items.size());
    list.whole = id;
  }
  return id;
}

std::vector<ValueId> ValueTable::absorb(const ValueTable& other) {
  const Impl& theirs = *other.impl_;
  std::vector<ValueId> out(theirs.slots.size(), kNil);
  // The parts of fresh lists are copied as they lie, so that what shared memory goes on sharing it.
  const std::size_t base = impl_->parts.size();
  if (theirs.any_fresh) impl_->parts.resize(base + theirs.parts.size());
  std::vector<ValueId> ids;
  for (ValueId id = 1; id < theirs.slots.size(); ++id) {
    const Slot& slot = theirs.slots[id];
    if (slot.fresh) {
      out[id] = impl_->add({Kind::list, true, slot.length, slot.payload + base});
      continue;
    }
    const Impl::Candidate candidate = theirs.candidate(id);
    ids.clear();
    for (const ValueId part : candidate.ids) ids.push_back(out[part]);
    switch (slot.kind) {
      case Kind::integer:
        out[id] = integer(std::bit_cast<std::int64_t>(slot.payload));
        break;
      case Kind::list:
        out[id] = list(ids);
        break;
      case Kind::map:
        out[id] = map(ids);
        break;
      default:
        out[id] = impl_->intern(candidate);
    }
  }
  if (theirs.any_fresh) {
    impl_->any_fresh = true;
    ValueId* to = impl_->parts.data() + base;
    for (const ValueId part : theirs.parts) *to++ = out[part];
  }
  return out;
}

void ValueTable::clear() {
  impl_->others.clear();
  impl_->integers.clear();
  impl_->small.fill(kAbsent);
  impl_->slots.clear();
  impl_->bytes.clear();
  impl_->parts.clear();
  impl_->any_fresh = false;
  impl_->add({});
}

void ValueTable::reserve(std::size_t values, std::size_t parts) {
  impl_->slots.reserve(values);
  impl_->parts.reserve(parts);
}

ValueId ValueTable::intern(const Value& value) {
  switch (value.kind()) {
    case Kind::nil:
      return kNil;
    case Kind::boolean:
      return boolean(value.boolean());
    case Kind::integer:
      return integer(value.integer());
    case Kind::real:
      if (!value.exact_digits().empty()) return impl_->intern({Kind::real, 0, value.exact_digits(), {}});
      return real(value.real());
    case Kind::string:
      return string(value.string());
    case Kind::list: {
      std::vector<ValueId> ids;
      for (const auto& item : value.items()) ids.push_back(intern(item));
      return list(ids);
    }
    case Kind::map: {
      std::vector<ValueId> ids;
      for (const auto& [k, v] : value.entries()) {
        ids.push_back(intern(k));
        ids.push_back(intern(v));
      }
      return map(ids);
    }
  }
  return kNil;
}

ValueId ValueTable::find(const Value& value) const {
  const auto lookup = [&](const Impl::Candidate& c) {
    const auto found = impl_->others.find(c);
    return found == impl_->others.end() ? kAbsent : *found;
  };
  switch (value.kind()) {
    case Kind::nil:
      return kNil;
    case Kind::boolean:
      return lookup({Kind::boolean, value.boolean() ? 1u : 0u, {}, {}});
    case Kind::integer: {
      const auto found = impl_->integers.find(value.integer());
      return found == impl_->integers.end() ? kAbsent : found->second;
    }
    case Kind::real: {
      if (!value.exact_digits().empty()) return lookup({Kind::real, 0, value.exact_digits(), {}});
      const double d = value.real() == 0 ? 0 : value.real();
      return lookup({Kind::real, std::bit_cast<std::uint64_t>(d), {}, {}});
    }
    case Kind::string:
      return lookup({Kind::string, 0, value.string(), {}});
    case Kind::list: {
      std::vector<ValueId> ids;
      for (const auto& item : value.items()) {
        ids.push_back(find(item));
        if (ids.back() == kAbsent) return kAbsent;
      }
      return lookup({Kind::list, 0, {}, ids});
    }
    case Kind::map: {
      std::vector<std::pair<ValueId, ValueId>> pairs;
      for (const auto& [k, v] : value.entries()) {
        pairs.emplace_back(find(k), find(v));
        if (pairs.back().first == kAbsent || pairs.back().second == kAbsent) return kAbsent;
      }
      std::stable_sort(pairs.begin(), pairs.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
      std::vector<ValueId> flat;
      for (const auto& [k, v] : pairs) {
        flat.push_back(k);
        flat.push_back(v);
      }
      return lookup({Kind::map, 0, {}, flat});
    }
  }
  return kAbsent;
}

namespace {
void expect(const Slot& slot, Kind kind) {
  ORDEAL_CHECK(slot.kind == kind, "an interned value is not of the kind that was asked for");
}
}  // namespace

std::int64_t ValueTable::as_integer(ValueId id) const {
  expect(impl_->slots[id], Kind::integer);
  return std::bit_cast<std::int64_t>(impl_->slots[id].payload);
}
bool ValueTable::as_boolean(ValueId id) const {
  expect(impl_->slots[id], Kind::boolean);
  return impl_->slots[id].payload != 0;
}
double ValueTable::as_real(ValueId id) const {
  expect(impl_->slots[id], Kind::real);
  if (impl_->slots[id].length > 0) return to_value(id).real();
  return std::bit_cast<double>(impl_->slots[id].payload);
}
std::string_view ValueTable::as_string(ValueId id) const {
  expect(impl_->slots[id], Kind::string);
  return impl_->candidate(id).text;
}
std::span<const ValueId> ValueTable::as_list(ValueId id) const {
  expect(impl_->slots[id], Kind::list);
  return impl_->candidate(id).ids;
}
std::span<const ValueId> ValueTable::as_map(ValueId id) const {
  expect(impl_->slots[id], Kind::map);
  return impl_->candidate(id).ids;
}

ValueId ValueTable::member(ValueId map, std::string_view key) const {
  if (map == kAbsent || kind(map) != Kind::map) return kAbsent;
  const auto entries = as_map(map);
  for (std::size_t i = 0; i + 1 < entries.size(); i += 2) {
    if (kind(entries[i]) == Kind::string && as_string(entries[i]) == key) return entries[i + 1];
  }
  return kAbsent;
}

Value ValueTable::to_value(ValueId id) const {
  if (id == kAbsent) return {};
  switch (kind(id)) {
    case Kind::nil:
      return {};
    case Kind::boolean:
      return as_boolean(id);
    case Kind::integer:
      return as_integer(id);
    case Kind::real: {
      const std::string_view digits = impl_->candidate(id).text;
      if (digits.empty()) return as_real(id);
      const std::size_t slash = digits.find('/');
      if (slash != std::string_view::npos) return Value::ratio(digits.substr(0, slash), digits.substr(slash + 1));
      return digits.find_first_of(".e") == std::string_view::npos ? Value::number(digits) : Value::ratio(digits, "1");
    }
    case Kind::string:
      return as_string(id);
    case Kind::list: {
      Value::List items;
      for (const ValueId item : as_list(id)) items.push_back(to_value(item));
      return items;
    }
    case Kind::map: {
      Value::Map entries;
      const auto ids = as_map(id);
      for (std::size_t i = 0; i + 1 < ids.size(); i += 2) entries.emplace_back(to_value(ids[i]), to_value(ids[i + 1]));
      return entries;
    }
  }
  return {};
}

std::string ValueTable::to_json(ValueId id) const { return to_value(id).to_json(); }

}  // namespace ordeal
