#pragma once
// Nemesis: what the runner sees of fault injection. nemesis/engine/driver.h implements it over the faults of the
// catalogue; the runner only starts it, stops it, and asks for what happened.
//
// Each step of each injection is an event of process "nemesis", of type info, whose f is the fault's name and whose
// value is {"id":N,"step":S,…}: S is "planned" (its time has come), "triggered" (with "evidence": what it waited for
// has happened), "inject" (about to), "injected", "confirmed" or "unconfirmed" (with "evidence"), "heal" (about to),
// "healed", "recovered" or "unrecovered" (the healing was observed, or not), "error" (with "message"), "measured" (with
// "values", while the fault is in force), "lifted" (with "nodes" and "message": somebody else undid it there before its
// time). "inject" also has "nodes" and "fault", the injection's description. Two steps
// tell of other faults of this run, which "by" names: "postponed" (with "message": what it was to act on is not there
// while they are in force) and "disturbed" (with "evidence": what was observed shows nothing while they are in force;
// it is observed again when they are healed, unless it is over before).
// One event at the beginning has no id: {"step":"plan",…} with f "nemesis" says what was drawn and what was left out.
//
// Thread-safety: run() is called on the runner's nemesis thread; the other methods from any thread.

#include <cstddef>
#include <cstdint>
#include <stop_token>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/value.h"
#include "checkers/history/fault_record.h"
#include "checkers/history/operation.h"

namespace ordeal {

// Where the nemesis writes its events; implemented by the runner over the journal. Thread-safe.
class NemesisLog {
 public:
  virtual ~NemesisLog() = default;
  virtual void record(const std::string& f, const Value& value) = 0;
  // ns since the run began, the history's clock.
  [[nodiscard]] virtual std::int64_t now_ns() const = 0;
  // Until a client has an operation of that function under way; false: none had until the deadline.
  [[nodiscard]] virtual bool await_operation(const std::string& /*f*/, Deadline) { return false; }
};

// The phases of a run in which faults can be injected (run.h): under the main load; between its end and the final
// phase, while the target recovers and nobody asks it for anything; under the final operations.
enum class RunPhase { main, recovery, final };

class Nemesis {
 public:
  virtual ~Nemesis() = default;
  // Lays what its faults need under the target before that starts (Groundwork), and takes it away again when the target
  // has ended, also after a set-up that failed half-way. Idempotent. Errors: what the nodes say.
  [[nodiscard]] virtual Result<void> set_up(Deadline) { return {}; }
  [[nodiscard]] virtual Result<void> tear_down(Deadline) { return {}; }
  // Injects and heals by its schedule until `stop`; then heals what is in force and returns. Several faults may be
  // in force at once and a slow one delays no other. Called once for each phase, for the main phase first; returns
  // before `stop` when the phase has no more faults.
  virtual void run(RunPhase phase, std::stop_token stop, NemesisLog& log) = 0;
  // Injects nothing further; what is in force stays so until run() is stopped. From any thread.
  virtual void inject_no_more() {}
  // Whether run() is to be called for a phase other than the main one. Everything was healed before each.
  [[nodiscard]] virtual bool plays(RunPhase) const { return false; }
  // Heals whatever is still in force. Idempotent. Errors: what could not be healed, and on which node.
  [[nodiscard]] virtual Result<void> heal_all(Deadline deadline) = 0;
  [[nodiscard]] virtual std::vector<FaultRecord> records() const = 0;
  // How many kinds of faults it has to inject.
  [[nodiscard]] virtual std::size_t kinds() const { return 0; }
};

}  // namespace ordeal
