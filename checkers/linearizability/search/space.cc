#include "checkers/linearizability/search/space.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>
#include <cstring>

#include "checkers/linearizability/search/tighten.h"

namespace ordeal::lin {
namespace {

std::uint64_t mix(std::uint64_t h, std::uint64_t w) {
  h = (h ^ w) * 0xff51afd7ed558ccdULL;
  return h ^ (h >> 32);
}

std::uint32_t hash_of(const State& s) {
  std::uint64_t h = s.size();
  for (const std::uint32_t w : s) h = mix(h, w);
  return static_cast<std::uint32_t>(h ^ h >> 32);
}

struct OperationHash {
  std::size_t operator()(const Operation& op) const {
    const std::uint64_t h = mix(mix(op.code | (op.crashed ? 256u : 0u), static_cast<std::uint64_t>(op.a)),
                                static_cast<std::uint64_t>(op.b));
    return mix(h, static_cast<std::uint32_t>(op.process));
  }
};

}  // namespace

void Transitions::charge(std::size_t bytes) {
  charged_ += bytes;
  (void)budget_.charge(static_cast<std::ptrdiff_t>(bytes));
}

std::uint32_t* Transitions::room_for(std::size_t words) {
  // Small at first, as most searches are.
  constexpr std::size_t kFirst = 256, kMost = 16'384;
  if (words > free_) {
    free_ = std::max(words, std::min(kFirst << std::min<std::size_t>(blocks_.size(), 6), kMost));
    blocks_.push_back(std::make_unique_for_overwrite<std::uint32_t[]>(free_));
    charge(free_ * sizeof(std::uint32_t));
    block_end_ = blocks_.back().get() + free_;
  }
  std::uint32_t* const out = block_end_ - free_;
  free_ -= words;
  return out;
}

// Where a state is among ids_, or would be.
std::uint32_t& Transitions::place_of(const State& state, std::uint32_t hash) {
  const std::size_t mask = ids_.size() - 1;
  for (std::size_t at = hash & mask;; at = (at + 1) & mask) {
    if (ids_[at] == kUnset) return ids_[at];
    const Stored& stored = states_[ids_[at]];
    if (stored.hash == hash && std::equal(state.begin(), state.end(), stored.words, stored.words + stored.size))
      return ids_[at];
  }
}

void Transitions::grow() {
  ids_.assign(std::max<std::size_t>(64, 2 * ids_.size()), kUnset);
  const std::size_t mask = ids_.size() - 1;
  for (StateId id = 0; id < states_.size(); ++id) {
    std::size_t at = states_[id].hash & mask;
    while (ids_[at] != kUnset) at = (at + 1) & mask;
    ids_[at] = id;
  }
}

StateId Transitions::intern(State state) {
  state = model_.canonical(std::move(state));
  const std::uint32_t hash = hash_of(state);
  if (2 * states_.size() >= ids_.size()) grow();
  std::uint32_t& place = place_of(state, hash);
  if (place != kUnset) return place;
  place = static_cast<StateId>(states_.size());
  std::uint32_t* const words = room_for(state.size());
  std::copy(state.begin(), state.end(), words);
  states_.push_back({words, static_cast<std::uint32_t>(state.size()), hash});
  std::size_t bytes = sizeof(Stored) + 4 * sizeof(std::uint32_t);
  if (dense_) {
    std::uint32_t* const row = room_for(classes_.size());
    std::fill(row, row + classes_.size(), kUnset);
    table_.push_back(row);
    bytes += sizeof(row);
  }
  charge(bytes);
  return place;
}

std::uint32_t Transitions::compute(StateId state, ClassId op) {
  scratch_.clear();
  from_.assign(states_[state].words, states_[state].words + states_[state].size);
  model_.step(from_, classes_[op], scratch_);
  if (scratch_.empty()) return kIllegal;
  if (scratch_.size() == 1) return intern(std::move(scratch_[0]));
  std::vector<StateId> list;
  std::vector<State> found = std::move(scratch_);
  scratch_ = {};
  for (State& next : found) list.push_back(intern(std::move(next)));
  charge(list.size() * 4 + 32);
  many_.push_back(std::move(list));
  return kMany | static_cast<std::uint32_t>(many_.size() - 1);
}

std::span<const StateId> Transitions::next(StateId state, ClassId op) {
  std::uint32_t found = kUnset;
  if (dense_) {
    found = table_[state][op];
    if (found == kUnset) {
      found = compute(state, op);
      table_[state][op] = found;
    }
  } else {
    const std::uint64_t key = static_cast<std::uint64_t>(state) << 32 | op;
    const auto place = sparse_.find(key);
    if (place != sparse_.end()) {
      found = place->second;
    } else {
      found = compute(state, op);
      sparse_.emplace(key, found);
      charge(20);
    }
  }
  if (found == kIllegal) return {};
  if ((found & kMany) != 0) return many_[found & ~kMany];
  single_ = found;
  return {&single_, 1};
}

Prepared prepare(const KeyHistory& history, const Relaxation& relaxation) {
  Prepared p;
  tighten(history, p.calls, p.origin);
  for (Call& call : p.calls) relax(relaxation, call);
  p.events = events_of(p.calls);
  boost::unordered_flat_map<Operation, ClassId, OperationHash> ids;
  p.class_of.reserve(p.calls.size());
  for (const Call& call : p.calls) {
    const auto [place, added] = ids.try_emplace(call.op, static_cast<ClassId>(p.classes.size()));
    if (added) {
      p.classes.push_back(call.op);
      p.traits.push_back(history.model->traits(call.op));
    }
    p.class_of.push_back(place->second);
  }

  // Slots, recycled at the return; the counters of crashed classes.
  p.slot_of.assign(p.calls.size(), 0);
  p.counter_of.assign(p.calls.size(), 0);
  std::vector<std::uint16_t> free;
  std::vector<std::pair<std::int64_t, std::uint32_t>> last_counter(p.classes.size(), {-1, 0});  // counter, calls in it
  for (const KeyEvent event : p.events) {
    if (event.is_return) {
      free.push_back(p.slot_of[event.call]);
    } else if (p.calls[event.call].crashed()) {
      auto& [counter, count] = last_counter[p.class_of[event.call]];
      const bool counted = is_counted(relaxation, p.calls[event.call]);
      if (counter < 0 || (counted && count == 255)) {
        // A full counter is continued by the one right after it, so this works only class by class; see below.
        counter = -1;
        p.counters.push_back({p.class_of[event.call], -1, count == 255, counted});
        counter = static_cast<std::int64_t>(p.counters.size()) - 1;
        count = 0;
      }
      ++count;
      p.counter_of[event.call] = static_cast<std::uint32_t>(counter);
    } else if (free.empty()) {
      p.slot_of[event.call] = static_cast<std::uint16_t>(p.slots++);
    } else {
      p.slot_of[event.call] = free.back();
      free.pop_back();
    }
  }
  // Counters of one class side by side, in the order in which they fill.
  std::vector<std::uint32_t> order(p.counters.size()), place(p.counters.size());
  for (std::uint32_t q = 0; q < order.size(); ++q) order[q] = q;
  std::stable_sort(order.begin(), order.end(),
                   [&](std::uint32_t x, std::uint32_t y) { return p.counters[x].op < p.counters[y].op; });
  std::vector<Prepared::Counter> sorted;
  for (std::uint32_t q = 0; q < order.size(); ++q) {
    place[order[q]] = q;
    sorted.push_back(p.counters[order[q]]);
  }
  p.counters = std::move(sorted);
  for (CallIndex i = 0; i < p.calls.size(); ++i) {
    if (p.calls[i].crashed()) p.counter_of[i] = place[p.counter_of[i]];
  }
  for (auto& weak : p.counters) {
    for (std::size_t s = 0; s < p.counters.size(); ++s) {
      if (!p.counters[s].continues && history.model->covers(p.classes[p.counters[s].op], p.classes[weak.op])) {
        weak.cover = static_cast<std::int32_t>(s);
        break;
      }
    }
  }
  return p;
}

Space::Space(const KeyHistory& history, Budget& budget, const Relaxation& relaxation)
    : prepared(prepare(history, relaxation)),
      transitions(*history.model, prepared.classes, budget),
      words_((prepared.slots + 63) / 64),
      stride_(1 + 2 * words_ + (prepared.counters.size() + 7) / 8),
      from_(history.from),
      child_(stride_),
      open_by_class_(prepared.classes.size()),
      total_mask_(words_),
      open_mask_(words_),
      available_((prepared.counters.size() + 7) / 8 * 8) {
  initial_ = transitions.intern(history.model->initial());
}

std::vector<Space::Word> Space::initial() {
  std::vector<Word> c(stride_);
  c[0] = initial_;
  return c;
}

bool Space::dominates(const Word* a, const Word* b) const {
  for (std::size_t w = 0; w < words_; ++w) {
    const Word la = a[1 + w], lb = b[1 + w], sa = a[1 + words_ + w], sb = b[1 + words_ + w];
    if (((la & ~lb) | (sb & ~sa) | (lb & ~la & ~sa)) != 0) return false;
  }
  const std::size_t counters = prepared.counters.size();
  if (counters == 0) return true;
  const auto* ua = reinterpret_cast<const std::uint8_t*>(a + 1 + 2 * words_);
  const auto* ub = reinterpret_cast<const std::uint8_t*>(b + 1 + 2 * words_);
  if (total_used(a) > total_used(b)) return false;
  bool plain = true;
  for (std::size_t q = 0; q < counters; ++q) plain &= ua[q] <= ub[q];
  if (plain) return true;
  // What a has used more of must be covered by what it has left over of a stronger class.
  std::array<std::int32_t, 256> spare;
  if (counters > spare.size()) return false;
  for (std::size_t q = 0; q < counters; ++q) spare[q] = ub[q] - ua[q];
  for (std::size_t q = 0; q < counters; ++q) {
    if (spare[q] >= 0) continue;
    const std::int32_t cover = prepared.counters[q].cover;
    if (cover < 0 || cover == static_cast<std::int32_t>(q)) return false;
    spare[static_cast<std::size_t>(cover)] += spare[q];
  }
  for (std::size_t q = 0; q < counters; ++q) {
    if (spare[q] < 0 && prepared.counters[q].cover < 0) return false;
  }
  return true;
}

std::uint64_t Space::hash(const Word* c) const {
  std::uint64_t h = 0x9e3779b97f4a7c15ULL;
  for (std::size_t w = 0; w < stride_; ++w) h = mix(h, c[w]);
  return h;
}

void Space::join(Word* into, const Word* c) const {
  for (std::size_t w = 0; w < words_; ++w) {
    Word& linearized = into[1 + w];
    Word& absorbed = into[1 + words_ + w];
    absorbed |= c[1 + words_ + w] | (linearized ^ c[1 + w]);
    linearized &= c[1 + w];
    absorbed &= ~linearized;
  }
  if (prepared.counters.empty()) return;
  auto* used = reinterpret_cast<std::uint8_t*>(into + 1 + 2 * words_);
  const auto* other = reinterpret_cast<const std::uint8_t*>(c + 1 + 2 * words_);
  Word total = 0;
  for (std::size_t q = 0; q < prepared.counters.size(); ++q) total += used[q] = std::min(used[q], other[q]);
  into[0] = total << 32 | state(into);
}

std::size_t Space::distance(const Word* a, const Word* b) const {
  std::size_t out = 0;
  for (std::size_t w = 1; w <= words_; ++w) {
    out += static_cast<std::size_t>(std::popcount((a[w] ^ b[w]) | (a[words_ + w] ^ b[words_ + w])));
  }
  const auto* ua = reinterpret_cast<const std::uint8_t*>(a + 1 + 2 * words_);
  const auto* ub = reinterpret_cast<const std::uint8_t*>(b + 1 + 2 * words_);
  for (std::size_t q = 0; q < prepared.counters.size(); ++q) out += static_cast<std::size_t>(std::abs(ua[q] - ub[q]));
  return out;
}

std::size_t Space::effort(const Word* c) const {
  std::size_t out = 4 * total_used(c);
  for (std::size_t w = 0; w < words_; ++w) {
    const Word linearized = c[1 + w], absorbed = c[1 + words_ + w];
    out += static_cast<std::size_t>(std::popcount(linearized) +
                                    2 * std::popcount(open_mask_[w] & ~linearized & ~absorbed));
  }
  return out;
}

void Space::open(CallIndex call) {
  ++version_;
  const ClassId op = prepared.class_of[call];
  if (prepared.calls[call].crashed()) {
    std::uint8_t& available = available_[prepared.counter_of[call]];
    if (available < 255) ++available;
    return;
  }
  auto& same = open_by_class_[op];
  if (same.empty()) open_classes_.push_back(op);
  const auto place = std::upper_bound(same.begin(), same.end(), call, [&](CallIndex x, CallIndex y) {
    return prepared.calls[x].ret < prepared.calls[y].ret;
  });
  same.insert(place, call);
  const std::size_t slot = prepared.slot_of[call];
  open_mask_[slot / 64] |= Word{1} << (slot % 64);
  if ((prepared.traits[op] & kTotal) != 0) total_mask_[slot / 64] |= Word{1} << (slot % 64);
}

void Space::close(CallIndex call) {
  ++version_;
  const ClassId op = prepared.class_of[call];
  auto& same = open_by_class_[op];
  same.erase(std::find(same.begin(), same.end(), call));
  if (same.empty()) {
    const auto place = std::find(open_classes_.begin(), open_classes_.end(), op);
    open_classes_.erase(place);
  }
  const std::size_t slot = prepared.slot_of[call];
  open_mask_[slot / 64] &= ~(Word{1} << (slot % 64));
  total_mask_[slot / 64] &= ~(Word{1} << (slot % 64));
}

void Space::reopen(CallIndex call) {
  if (prepared.calls[call].crashed()) return;
  open(call);
}

void Space::unopen(CallIndex call) {
  if (!prepared.calls[call].crashed()) return close(call);
  ++version_;
  --available_[prepared.counter_of[call]];
}

void Space::absorb_opened(Word* c, CallIndex call) {
  if (prepared.calls[call].crashed()) return;
  const bool over = prepared.calls[call].inv < from_;
  if (!over && !transitions.preserves(state(c), prepared.class_of[call])) return;
  const std::size_t slot = prepared.slot_of[call];
  c[1 + words_ + slot / 64] |= Word{1} << (slot % 64);
}

void Space::enter(Word* c, StateId next) {
  c[0] = (c[0] & ~Word{0xFFFFFFFF}) | next;
  const Word* mask = preserved(next);
  for (std::size_t w = 0; w < words_; ++w) c[1 + words_ + w] |= mask[w] & ~c[1 + w];
}

const Space::Word* Space::preserved(StateId state) {
  constexpr StateId kBlock = 64;
  if (state >= preserved_at_.size()) {
    const std::size_t more = std::max<std::size_t>(state + 1, transitions.size());
    transitions.charge((more - preserved_at_.size()) * (words_ + 1) * sizeof(Word));
    preserved_at_.resize(more);
    while (preserved_.size() * kBlock < more)
      preserved_.push_back(std::make_unique_for_overwrite<Word[]>(kBlock * words_));
  }
  Word* const mask = preserved_[state / kBlock].get() + state % kBlock * words_;
  if (preserved_at_[state] == version_) return mask;
  std::fill(mask, mask + words_, 0);
  for (const ClassId op : open_classes_) {
    if (!transitions.preserves(state, op)) continue;
    for (const CallIndex call : open_by_class_[op]) {
      const std::size_t slot = prepared.slot_of[call];
      mask[slot / 64] |= Word{1} << (slot % 64);
    }
  }
  preserved_at_[state] = version_;
  return mask;
}

}  // namespace ordeal::lin
