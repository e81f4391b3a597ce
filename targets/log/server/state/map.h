#pragma once
// The key-value map, and transactions over it: all steps of one take effect at one entry, or none does.
//
// A key's version is the index of the entry that changed it last. It therefore never comes again, also when the key is
// removed and made anew, so that a compare-and-set by version is safe from ABA. Values are JSON texts, compared byte by
// byte. A list that grows by appending is kept as its elements. Thread-safety: none of its own.

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "targets/log/server/raft/types.h"
#include "targets/log/server/state/command.h"

namespace ordeal::log::state {

class Reader;
class Writer;

struct Item {
  raft::Index version = 0;
  std::string value;                                 // JSON text; of a list nothing
  std::optional<std::vector<std::string>> elements;  // of a list that was made by appending

  [[nodiscard]] std::string json() const;
  friend bool operator==(const Item&, const Item&) = default;
};

class KeyValueMap {
 public:
  static constexpr std::size_t kMaxElements = 1'000'000;  // of a list

  // What changed, for the watchers: key and new value, nothing when it was removed.
  struct Change {
    std::string key;
    const Item* item = nullptr;
  };
  // Whether a lock is held with a token now.
  using HoldsLock = std::function<bool(const std::string& lock, std::uint64_t token)>;

  // `changes` gets every key that was changed, once, in ascending order; its items are valid until the next change.
  [[nodiscard]] Answer transact(const std::vector<Step>& steps, raft::Index index, const HoldsLock& holds,
                                std::vector<Change>& changes);
  // The same for steps that change nothing, on what is there. Requires: no step writes.
  [[nodiscard]] Answer look(const std::vector<Step>& steps, const HoldsLock& holds) const;
  // {"items":[{"key":…,"value":…,"version":…},…],"more":…} of at most `limit` keys that begin with `prefix` and come
  // after `after`.
  [[nodiscard]] Answer range(const std::string& prefix, const std::string& after, std::size_t limit) const;
  [[nodiscard]] std::size_t size() const { return items_.size(); }

  void save(Writer& out) const;
  void load(Reader& in);

 private:
  using Overlay = std::map<std::string, std::optional<Item>>;
  [[nodiscard]] const Item* current(const Overlay& overlay, const std::string& key) const;
  [[nodiscard]] std::optional<Answer> check(const Step& step, const Item* item, const HoldsLock& holds) const;
  [[nodiscard]] std::optional<Answer> change(const Step& step, raft::Index index, Overlay& overlay) const;
  [[nodiscard]] Answer run(const std::vector<Step>& steps, raft::Index index, const HoldsLock& holds,
                           Overlay& overlay) const;
  std::map<std::string, Item> items_;
};

}  // namespace ordeal::log::state
