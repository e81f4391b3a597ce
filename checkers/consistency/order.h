#pragma once
// Order: a growing strict partial order over the accesses of an execution, held as vector clocks.
//
// It begins as session order (with the accesses that did not happen left out) and reads-from edges; edges can be added
// later, and the clocks follow. The clock of an access says, for each session, how many of its accesses come before;
// so "a before b" is one comparison. Memory: accesses times sessions times four bytes. Thread-safety: one thread.

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "checkers/consistency/execution.h"

namespace ordeal::weak {

class Order {
 public:
  // Takes the reads-from edges into those accesses for which `reads_from(access)` holds.
  Order(const Execution& execution, const Sources& sources, const std::vector<char>& alive,
        const std::function<bool(AccessId)>& reads_from);

  // A shortest known cycle among the edges, empty when there is none. When there is one, the clocks mean nothing.
  [[nodiscard]] const std::vector<Violation::Edge>& cycle() const { return cycle_; }

  [[nodiscard]] bool before(AccessId a, AccessId b) const {
    return a != b && clock(b)[execution_.accesses[a].session] > execution_.accesses[a].position;
  }
  // Of the accesses of a session that come before `a` (not `a` itself): how many of its first positions to look at.
  [[nodiscard]] std::uint32_t seen(AccessId a, std::uint32_t session) const {
    return session == execution_.accesses[a].session ? execution_.accesses[a].position : clock(a)[session];
  }
  // Requires: not before(edge.to, edge.from). Calls `changed` for every access whose clock grew.
  void add(const Violation::Edge& edge, const std::function<void(AccessId)>& changed);
  // A shortest chain of edges. Requires: before(a, b).
  [[nodiscard]] std::vector<Violation::Edge> path(AccessId a, AccessId b) const { return path(a, b, added_); }
  // The same among the edges that were there when so many had been added.
  [[nodiscard]] std::vector<Violation::Edge> path(AccessId a, AccessId b, std::uint32_t added) const;
  // How the reads that force some of these edges (version_order) came to know of what they overwrite, and how those
  // that force edges of such a chain did.
  [[nodiscard]] std::vector<std::vector<Violation::Edge>> known(const std::vector<Violation::Edge>& edges) const;

  // The last write to the key of `reader` in `session` that happened and comes before it.
  [[nodiscard]] std::optional<AccessId> last_write(AccessId reader, std::uint32_t session) const;
  [[nodiscard]] const std::vector<std::vector<Violation::Edge>>& edges() const { return out_; }  // by access
  // The sessions that write a key.
  [[nodiscard]] std::span<const std::uint32_t> writers(std::uint32_t key) const { return writer_sessions_[key]; }

 private:
  [[nodiscard]] const std::uint32_t* clock(AccessId a) const { return clocks_.data() + std::size_t{a} * sessions_; }
  [[nodiscard]] std::uint32_t* clock(AccessId a) { return clocks_.data() + std::size_t{a} * sessions_; }
  bool absorb(AccessId from, AccessId to);

  const Execution& execution_;
  std::size_t sessions_;
  std::vector<std::vector<Violation::Edge>> out_;  // by access
  std::vector<std::uint32_t> clocks_;
  std::uint32_t added_ = 0;  // edges beyond those of the beginning
  std::vector<Violation::Edge> cycle_;
  std::vector<std::vector<std::uint32_t>> writer_sessions_;  // by key
  std::vector<std::vector<std::vector<AccessId>>> writes_;   // by key, parallel to writer_sessions_
};

// A shortest cycle through one of the first accesses that lie on cycles, empty when the graph has none; `order`, when
// asked for, receives a topological order then.
[[nodiscard]] std::vector<Violation::Edge> find_cycle(const std::vector<std::vector<Violation::Edge>>& out,
                                                      std::vector<AccessId>* order = nullptr);

}  // namespace ordeal::weak
