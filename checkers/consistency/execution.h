#pragma once
// Execution: a history of registers as the weak levels see it: accesses in sessions, and who read from whom.
//
// An access reads, writes, or (a cas that succeeded) does both at once. A session is the accesses of one process in
// their order; a process that goes on after a crashed operation counts as a new session, as for `sequential`. A crashed
// write whose value somebody read has happened; one that nobody read may be left out, and is: a write that nobody saw
// only ever adds demands. What a crashed cas read counts only when it happened.
//
// When written values are unique, `Sources` follows from the history. Otherwise several writers fit a read, and
// sources.h searches. Thread-safety: immutable once built.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "checkers/interfaces/checker.h"
#include "checkers/linearizability/interfaces/key_history.h"

namespace ordeal::weak {

using AccessId = std::uint32_t;

// Whose value an access read.
using Source = std::uint32_t;
inline constexpr Source kInitial = 0xFFFFFFFFu;    // the initial value's
inline constexpr Source kUndecided = 0xFFFFFFFEu;  // not yet chosen: constrains nothing

struct Access {
  EventIndex inv = 0;
  EventIndex ret = lin::kNever;  // kNever: crashed
  std::uint32_t session = 0;
  std::uint32_t position = 0;  // within the session
  std::uint32_t key = 0;       // index into Execution::keys
  bool reads = false;
  bool writes = false;
  std::int64_t read = 0;  // value ids
  std::int64_t written = 0;
  [[nodiscard]] bool crashed() const { return ret == lin::kNever; }
};

struct Execution {
  const History* history = nullptr;
  std::vector<ValueId> keys;     // kNil when the history has no keys
  std::vector<Access> accesses;  // by invocation
  std::vector<std::vector<AccessId>> sessions;
  std::vector<std::vector<AccessId>> writes;  // by key, by invocation
  // The sources that the value of an access allows, writers by invocation and then perhaps kInitial. Empty when it
  // reads nothing, or when nobody wrote what it read. Reads of one value share a list.
  [[nodiscard]] std::span<const Source> candidates(AccessId access) const {
    return candidate_lists[candidate_list[access]];
  }
  std::vector<std::vector<Source>> candidate_lists;  // the first is empty
  std::vector<std::uint32_t> candidate_list;         // by access
  bool initial_known = true;
  std::string initial_text = "null";
  bool has_cas = false;
  bool unique = true;  // no access has more than one candidate

  // "the read of x = 1 by process 2 (3)"; the number is the file's index of the invocation.
  [[nodiscard]] std::string describe(AccessId access) const;
  [[nodiscard]] std::string describe_key(std::uint32_t key) const;
};

// ", which process 3 had tried to write, and been told that it failed (event 5)", of a read that nothing explains, or
// "".
[[nodiscard]] std::string failed_writer(const Execution& execution, AccessId read);

// By access; kUndecided for what reads nothing.
using Sources = std::vector<Source>;

// Notes how much there is to judge. False: there is nothing that a verdict could be based on, and result.reason says
// why.
[[nodiscard]] bool can_be_judged(const lin::Partition& parts, CheckResult& result);

// Requires: the model is one register (lin::is_one_register).
[[nodiscard]] Execution make_execution(const History& history, const lin::Model& model, const lin::Partition& parts,
                                       const CheckOptions& options);

// The accesses whose entry in `keep` is not 0, as a history of their own; a read may see what it could see before, as
// far as that is kept.
[[nodiscard]] Execution part_of(const Execution& whole, const std::vector<char>& keep);

// By access: it certainly happened, being ok, or being the source of something that happened.
[[nodiscard]] std::vector<char> happened(const Execution& execution, const Sources& sources);

// Why an execution is impossible at a level.
struct Violation {
  enum class Because : std::uint8_t {
    session,
    reads_from,
    version_order,
    read_your_writes,
    monotonic_reads,
    writes_follow_reads
  };
  struct Edge {
    AccessId from = 0, to = 0;
    Because because = Because::session;
    AccessId seen_by = 0;  // from version_order on: the read that forces it
    AccessId before = 0;   // monotonic_reads: the read of the same process that had seen `from`
    // version_order: how many edges of this kind had been added before, all that this one can rest on.
    std::uint32_t number = 0;
  };
  std::string type;
  std::string explanation;
  std::vector<Edge> edges;               // a cycle, or the paths that show it
  std::vector<std::vector<Edge>> known;  // how the reads of edges of version_order came to know of what they overwrite
  std::vector<AccessId> others;          // accesses that it is about, whether the edges mention them or not
  AccessId guilty = 0;
  std::vector<std::string> sentences;  // to close the argument, after those of the edges
};

// With the sentences of its edges and the picture. It names who shows that the crashed operations among them took
// effect.
[[nodiscard]] Anomaly to_anomaly(const Execution& execution, const Violation& violation, const Sources& sources);

}  // namespace ordeal::weak
