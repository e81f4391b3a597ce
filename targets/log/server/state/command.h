#pragma once
// What the replicated log carries: a command, and the answer that applying it gives.
//
// A command is versioned bytes, decoded by every node alike; one that cannot be decoded or exceeds a limit changes
// nothing and is answered `invalid`, on every node alike. Thread-safety: values; share nothing.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ordeal::log::state {

// Limits of one command. Every node must have the same, since they decide what a command does.
inline constexpr std::size_t kMaxKeyBytes = 1024;
inline constexpr std::size_t kMaxValueBytes = 1 << 20;
inline constexpr std::size_t kMaxEntryBytes = 65535;  // of the append-only log: what a bundle of tlog-tiles can hold
inline constexpr std::size_t kMaxSteps = 256;         // of a transaction
inline constexpr std::uint64_t kMaxTtlMs = 366ULL * 24 * 3600 * 1000;  // a longer lease counts as this one

enum class CommandKind : std::uint8_t {
  tick = 0,            // nothing but the time: leases and deliveries lapse
  append = 1,          // to the log: value
  transact = 2,        // steps, all or none
  set_add = 3,         // key, value
  set_remove = 4,      // key, value
  enqueue = 5,         // key, value
  dequeue = 6,         // key, amount messages at most, ttl_ms until they come again (0: taken for good), attempts
  ack = 7,             // key, token
  nack = 8,            // key, token
  drain_dead = 9,      // key, amount at most: takes messages out of the dead letters
  acquire = 10,        // key, value (the owner), ttl_ms (0: no end)
  keep_alive = 11,     // key, token, ttl_ms
  release = 12,        // key, token
  generate = 13,       // a unique id
  set_member = 14,     // key (the name), value (the addresses); token: the node's id, 0: a new one
  remove_member = 15,  // token
};
inline constexpr std::uint8_t kLastCommandKind = 15;

// One step of a transaction over the key-value map.
struct Step {
  enum class Kind : std::uint8_t {
    read = 0,
    write = 1,          // value
    append = 2,         // value to the end of a list; an absent key is an empty one
    remove = 3,         //
    add = 4,            // amount to a whole number; an absent key is 0
    check_version = 5,  // version: the key has it (0: it is absent), or nothing at all happens
    check_value = 6,    // value: the key has it ("null": or is absent), or nothing at all happens
    check_lock = 7,     // version: the lock `key` is held with this fencing token, or nothing at all happens
  };
  Kind kind = Kind::read;
  std::string key = {};
  std::string value = {};  // JSON text
  std::uint64_t version = 0;
  std::int64_t amount = 0;

  friend bool operator==(const Step&, const Step&) = default;
};

struct Command {
  CommandKind kind = CommandKind::tick;
  std::uint64_t time_ms = 0;         // chosen by the leader (stamp()), never by who asks
  std::string idempotency_key = {};  // empty: none
  std::string key = {};
  std::string value = {};
  std::uint64_t token = 0;
  std::uint64_t ttl_ms = 0;
  std::int64_t amount = 0;
  std::uint64_t attempts = 0;
  std::vector<Step> steps = {};

  // Whether it changes anything but the time when it succeeds.
  [[nodiscard]] bool read_only() const;
  friend bool operator==(const Command&, const Command&) = default;
};

[[nodiscard]] std::string encode(const Command& command);
// Nothing when the bytes are no command or exceed a limit.
[[nodiscard]] std::optional<Command> decode_command(std::string_view bytes);
// Sets the time of an encoded command, in place. Requires: encode() made it.
void stamp(std::string& encoded, std::uint64_t time_ms);

enum class AnswerCode : std::uint8_t {
  ok = 0,
  invalid = 1,     // not a command, or beyond a limit: changed nothing
  conflict = 2,    // a check of a transaction did not hold: changed nothing
  wrong_type = 3,  // a step does not fit what is there: changed nothing
  not_found = 4,   // no such message, key or member: changed nothing
  held = 5,        // somebody has the lock: changed nothing
  not_held = 6,    // the lock is not held with this token: changed nothing
  key_reused = 7,  // the idempotency key belongs to another request: changed nothing
  too_large = 8,   // a list, set or queue is full: changed nothing
  gone = 9,        // of a query: what was asked for is beyond the horizon
};
inline constexpr std::uint8_t kLastAnswerCode = 9;
// "ok", "invalid", … in the spelling of the enumerators, with hyphens.
[[nodiscard]] std::string_view name(AnswerCode code);

struct Answer {
  AnswerCode code = AnswerCode::ok;
  std::string body = "{}";  // a JSON object
  std::uint64_t index = 0;  // of the entry that did it; for a duplicate, of the first; for a query, of the last applied
  bool repeated = false;    // the first answer, given again

  friend bool operator==(const Answer&, const Answer&) = default;
};
[[nodiscard]] std::string encode(const Answer& answer);
[[nodiscard]] std::optional<Answer> decode_answer(std::string_view bytes);

// The answer with {"message": …}.
[[nodiscard]] Answer refusal(AnswerCode code, std::string_view message);

}  // namespace ordeal::log::state
