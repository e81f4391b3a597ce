#include "checkers/transactions/checker.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <set>
#include <thread>

#include "checkers/base/catalogue.h"
#include "checkers/transactions/axioms.h"
#include "checkers/transactions/cycles.h"
#include "checkers/transactions/levels.h"
#include "checkers/transactions/order_search.h"

namespace ordeal {
namespace {

using namespace txn;
using Clock = std::chrono::steady_clock;

// Three quarters of what the machine has free.
std::size_t default_memory() {
  std::ifstream in("/proc/meminfo");
  std::string word;
  std::size_t kilobytes = 0;
  while (in >> word) {
    if (word == "MemAvailable:" && in >> kilobytes) return kilobytes / 4 * 3 * 1024;
  }
  return std::size_t{2} << 30;
}

// What the analysis needs per micro-operation (columns, edges and the arrays of the searches) and per choice.
constexpr std::size_t kBytesPerMicroOp = 200;
constexpr std::size_t kBytesPerChoice = 300;

constexpr unsigned kExtra[] = {0, kProcess, kProcess | kRealtime};
constexpr const char* kSuffix[] = {"", "-process", "-realtime"};

class Check {
 public:
  Check(const History& history, const CheckOptions& options)
      : history_(history), options_(options), start_(Clock::now()),
        deadline_(options.timeout.count() > 0 ? start_ + options.timeout : Clock::time_point::max()) {
    result_.checker = "transactional";
    result_.model = options.model.empty() ? guess_model(history) : options.model;
    result_.consistency = options.consistency.empty() ? "strict-serializable" : options.consistency;
    result_.algorithm = "dependency-graph";
    late_ = [this] { return options_.stop.stop_requested() || Clock::now() >= deadline_; };
  }

  CheckResult run() {
    const bool strongest = result_.consistency == "strongest";
    const Level* level = find_level(result_.consistency);
    if (!strongest && level == nullptr) return unknown(unknown_name("consistency level", result_.consistency, transactional_levels()).message);
    const bool list = result_.model == "list-append";
    if (!list && result_.model != "rw-register") return unknown(unknown_name("model", result_.model, {"list-append", "rw-register"}).message);
    auto txns = transactions_of(history_, list ? MicroKind::append : MicroKind::write);
    if (!txns) return unknown(txns.error().message);
    result_.operations = txns->size();
    result_.keys = txns->keys.size();
    const std::size_t memory = options_.memory_bytes > 0 ? options_.memory_bytes : default_memory();
    const std::size_t needed = (txns->micro.size() + txns->size()) * kBytesPerMicroOp;
    if (needed > memory) {
      return unknown("the budget of " + std::to_string(memory) + " bytes is not enough for " + std::to_string(txns->micro.size()) +
                     " micro-operations, which need about " + std::to_string(needed));
    }
    if (std::find(txns->outcome.begin(), txns->outcome.end(), Outcome::ok) == txns->outcome.end()) {
      return unknown("no transaction succeeded, so nothing was observed");
    }
    if (late_()) return unknown(why_late());
    in_ = std::make_unique<Inference>(list ? infer_list_append(history_, std::move(*txns), threads())
                                           : infer_rw_register(history_, std::move(*txns), initial(), (memory - needed) / kBytesPerChoice));
    cycles_ = find_cycles(in_->graph, late_);
    if (!cycles_.acyclic && !in_->open.empty()) choose_open(*in_);
    for (const Finding& finding : in_->findings) found_.push_back(finding);
    for (const Cycle& cycle : cycles_.cycles) found_.push_back(explain(cycle, *in_, history_));
    if (strongest) return judge_all();
    return judge(*level);
  }

 private:
  CheckResult unknown(std::string why) {
    result_.verdict = Verdict::unknown;
    result_.reason = std::move(why);
    return finished();
  }
  CheckResult finished() {
    result_.seconds = std::chrono::duration<double>(Clock::now() - start_).count();
    return std::move(result_);
  }
  std::string why_late() const {
    return options_.stop.stop_requested() ? "stopped on request" : "the time limit of " + std::to_string(options_.timeout.count()) + " ms was reached";
  }
  ValueId initial() const {
    if (!options_.initial) return kNil;
    return history_.values().find(*options_.initial);
  }
  unsigned threads() const { return options_.threads > 0 ? options_.threads : std::max(1u, std::thread::hardware_concurrency()); }
  bool list() const { return result_.model == "list-append"; }

  bool ruled_out(const Level& level) const {
    return std::any_of(found_.begin(), found_.end(), [&](const Finding& one) { return forbids(level, one.type); });
  }

  // Which order a level of a family adds: its place in kSuffix.
  static int order_of(const std::string& name) {
    if (name.starts_with("strong-session-")) return 1;
    return name.starts_with("strong-") || name.starts_with("strict-") ? 2 : 0;
  }

  // Whether the absence of findings proves the level. Asks the searches that the level needs, which may find more.
  bool proven(const Level& level) {
    if (!in_->incomplete.empty() || !cycles_.complete) return false;
    const std::string& name = level.name;
    if (name.ends_with("read-uncommitted")) return true;
    if (name.ends_with("read-committed")) return true;
    if (name.ends_with("serializable") && name != "update-serializable") return order(false, order_of(name));
    if (name == "repeatable-read") return order(false, 0);
    if (name.ends_with("snapshot-isolation") && name != "parallel-snapshot-isolation") return order(true, order_of(name));
    if (name == "monotonic-atomic-view") return axiom(Axiom::read_committed, false);
    if (name == "read-committed-axiomatic") return axiom(Axiom::read_committed, false) && axiom(Axiom::read_committed, true);
    if (name == "read-atomic") return axiom(Axiom::read_committed, true) && axiom(Axiom::read_atomic, true);
    if (name == "causal") return axiom(Axiom::read_atomic, true) && axiom(Axiom::causal, true);
    if (name == "cursor-stability") return list();
    const bool known = in_->choices.empty() && !in_->open_pairs_dropped && cycles_.single_decided;
    if (name == "update-serializable") return known && updates();
    return known;  // consistent-view, parallel-snapshot-isolation
  }

  bool order(bool snapshot, int extra) {
    // Appends that nobody saw can always be put where a topological order of the rest has them.
    if (!snapshot && list()) return true;
    if (in_->choices.empty() && in_->forced.empty() && !in_->open_pairs_dropped) return true;
    if (cycles_.acyclic && list()) return true;
    const auto key = std::pair(snapshot, extra);
    if (const auto known = orders_.find(key); known != orders_.end()) return known->second;
    result_.algorithm = "dependency-graph+order-search";
    const OrderAnswer answer = find_order(*in_, snapshot, kExtra[extra], late_);
    if (answer.possible == Possible::no) {
      Finding finding;
      finding.type = std::string(snapshot ? "no-snapshot-order" : "no-serial-order") + kSuffix[extra];
      finding.key = answer.key;
      finding.txns = answer.culprits;
      finding.explanation = "nobody saw in which order some writes took effect, and every order of them leads to a cycle that the level forbids";
      if (answer.key != kNone) {
        finding.explanation += ": neither " + txn_name(history_, in_->txns, answer.culprits[0]) + " nor " + txn_name(history_, in_->txns, answer.culprits[1]) +
                               " can have written key " + history_.values().to_json(in_->txns.keys[answer.key]) + " first";
      }
      found_.push_back(std::move(finding));
    }
    const bool yes = answer.possible == Possible::yes && !in_->open_pairs_dropped;
    orders_[key] = yes;
    return yes;
  }

  bool axiom(Axiom axiom, bool sessions) {
    const auto key = std::pair(axiom, sessions);
    if (const auto known = axioms_.find(key); known != axioms_.end()) return known->second;
    result_.algorithm = "dependency-graph+axioms";
    AxiomAnswer answer = check_axiom(*in_, history_, axiom, sessions, late_);
    axioms_[key] = answer.decided && !answer.violation;
    if (answer.violation) found_.push_back(std::move(*answer.violation));
    return axioms_[key];
  }

  // Cycles among transactions that write, for update serializability. True: there is none, with any single reader.
  bool updates() {
    const bool any = std::any_of(found_.begin(), found_.end(), [](const Finding& one) { return one.type == "G2-item" || one.type == "G-nonadjacent"; });
    if (!any) return true;
    std::vector<bool> writes(in_->graph.size(), true);
    for (TxnIndex t = 0; t < in_->txns.size(); ++t) {
      const auto ops = in_->txns.ops(t);
      writes[t] = std::any_of(ops.begin(), ops.end(), [](const MicroOp& op) { return op.kind != MicroKind::read; });
    }
    const Components parts = components(in_->graph.size(), [&](std::uint32_t v, std::uint32_t& cursor, std::uint32_t& w) {
      Edge edge;
      while (writes[v] && in_->graph.next(v, kAllData, cursor, edge)) {
        w = edge.to;
        if (writes[w]) return true;
      }
      return false;
    });
    if (parts.size.size() == in_->graph.size()) return false;  // single readers are not looked at
    for (const Finding& one : found_) {
      if ((one.type != "G2-item" && one.type != "G-nonadjacent") || !std::all_of(one.txns.begin(), one.txns.end(), [&](TxnIndex t) { return writes[t]; })) continue;
      Finding update = one;
      update.type = "G-update";
      found_.push_back(std::move(update));
      break;
    }
    return false;
  }

  enum class Status { holds, ruled_out, undecided };
  Status status(const Level& level) {
    if (ruled_out(level)) return Status::ruled_out;
    const bool holds = proven(level);
    if (ruled_out(level)) return Status::ruled_out;
    if (!holds) return Status::undecided;
    // A level holds when all that is asked of weaker ones was decided, too.
    for (const Level& weak : levels()) {
      if (weak.name == level.name || !implies(level, weak) || covers(level, weak)) continue;
      if (!proven(weak)) return ruled_out(level) ? Status::ruled_out : Status::undecided;
    }
    return ruled_out(level) ? Status::ruled_out : Status::holds;
  }
  // The proof of these levels is one of everything weaker.
  static bool covers(const Level& level, const Level&) {
    return level.name.ends_with("serializable") || level.name.ends_with("snapshot-isolation") || level.name == "repeatable-read" ||
           level.name == "causal" || level.name == "read-atomic" || level.name == "read-committed-axiomatic";
  }

  // The status with what stronger levels show.
  Status judged(const Level& level) {
    const Status own = status(level);
    if (own != Status::undecided) return own;
    for (const Level& strong : levels()) {
      if (strong.name != level.name && implies(strong, level) && status(strong) == Status::holds) return Status::holds;
    }
    return ruled_out(level) ? Status::ruled_out : Status::undecided;
  }

  CheckResult judge(const Level& level) {
    const Status answer = judged(level);
    result_.verdict = answer == Status::holds ? Verdict::valid : answer == Status::ruled_out ? Verdict::invalid : Verdict::unknown;
    if (answer == Status::undecided) result_.reason = why_undecided();
    Value others = Value::list();
    std::set<std::string> named;
    for (const Finding& finding : found_) {
      if (forbids(level, finding.type)) {
        report(finding);
      } else if (named.insert(finding.type).second) {
        others.items().emplace_back(finding.type);
      }
    }
    if (!others.items().empty()) result_.details.set("anomalies-of-stronger-levels", std::move(others));
    return counted();
  }

  CheckResult judge_all() {
    std::map<std::string, Status> answers;
    for (auto level = levels().rbegin(); level != levels().rend(); ++level) answers[level->name] = judged(*level);
    // What was found on the way may rule out more.
    Value out = Value::list(), holds = Value::list(), strongest = Value::list(), undecided = Value::list();
    for (const Level& level : levels()) {
      Status& answer = answers[level.name];
      if (ruled_out(level)) answer = Status::ruled_out;
      if (answer == Status::holds) holds.items().emplace_back(level.name);
      if (answer == Status::undecided) undecided.items().emplace_back(level.name);
      if (answer != Status::ruled_out) continue;
      Value one = Value::map();
      one.set("level", level.name);
      for (const Finding& finding : found_) {
        if (forbids(level, finding.type)) {
          one.set("anomaly", finding.type);
          break;
        }
      }
      out.items().push_back(std::move(one));
    }
    for (const Level& level : levels()) {
      if (answers[level.name] != Status::holds) continue;
      const bool topped = std::any_of(levels().begin(), levels().end(), [&](const Level& strong) {
        return strong.name != level.name && implies(strong, level) && answers[strong.name] == Status::holds;
      });
      if (!topped) strongest.items().emplace_back(level.name);
    }
    const bool all = out.items().empty() && undecided.items().empty();
    result_.verdict = !out.items().empty() ? Verdict::invalid : all ? Verdict::valid : Verdict::unknown;
    if (result_.verdict == Verdict::unknown) result_.reason = why_undecided();
    result_.details.set("strongest", std::move(strongest));
    result_.details.set("holds", std::move(holds));
    result_.details.set("ruled-out", std::move(out));
    if (!undecided.items().empty()) result_.details.set("undecided", std::move(undecided));
    for (const Finding& finding : found_) report(finding);
    return counted();
  }

  std::string why_undecided() const {
    if (late_()) return why_late();
    if (!in_->incomplete.empty()) return in_->incomplete;
    return "nothing contradicts the level, but the order of some writes was not observed and no order of them is known to satisfy it";
  }

  CheckResult counted() {
    result_.details.set("edges", static_cast<std::int64_t>(in_->graph.edge_count()));
    result_.details.set("choices", static_cast<std::int64_t>(in_->choices.size()));
    return finished();
  }

  void report(const Finding& finding) {
    Anomaly anomaly;
    anomaly.type = finding.type;
    if (finding.key != kNone) anomaly.key = history_.values().to_value(in_->txns.keys[finding.key]);
    for (const TxnIndex t : finding.txns) anomaly.operations.push_back(in_->txns.invocation[t]);
    std::sort(anomaly.operations.begin(), anomaly.operations.end());
    anomaly.operations.erase(std::unique(anomaly.operations.begin(), anomaly.operations.end()), anomaly.operations.end());
    anomaly.explanation = finding.explanation;
    anomaly.sentences = finding.sentences;
    anomaly.graph = finding.graph;
    result_.anomalies.push_back(std::move(anomaly));
  }

  const History& history_;
  const CheckOptions& options_;
  Clock::time_point start_, deadline_;
  std::function<bool()> late_;
  CheckResult result_;
  std::unique_ptr<Inference> in_;
  CycleSearch cycles_;
  std::vector<Finding> found_;
  std::map<std::pair<bool, int>, bool> orders_;
  std::map<std::pair<Axiom, bool>, bool> axioms_;
};

class Transactional final : public Checker {
 public:
  [[nodiscard]] std::string_view name() const override { return "transactional"; }
  [[nodiscard]] CheckResult check(const History& history, const CheckOptions& options) const override {
    try {
      return Check(history, options).run();
    } catch (const std::bad_alloc&) {
      CheckResult out;
      out.checker = "transactional";
      out.model = options.model;
      out.consistency = options.consistency;
      out.reason = "the machine's memory was exhausted";
      return out;
    }
  }
};

}  // namespace

std::shared_ptr<const Checker> transactional_checker() { return std::make_shared<Transactional>(); }

std::vector<std::string> transactional_levels() {
  std::vector<std::string> out, aliases;
  for (auto level = levels().rbegin(); level != levels().rend(); ++level) {
    out.push_back(level->name);
    aliases.insert(aliases.end(), level->aliases.begin(), level->aliases.end());
  }
  out.insert(out.end(), aliases.begin(), aliases.end());
  out.emplace_back("strongest");
  return out;
}

std::vector<std::pair<std::string, std::string>> transactional_anomalies() {
  std::vector<std::pair<std::string, std::string>> out;
  for (const auto& one : anomaly_names()) out.emplace_back(one.name, one.help);
  return out;
}

}  // namespace ordeal
