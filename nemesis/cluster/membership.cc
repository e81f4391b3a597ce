#include "nemesis/cluster/membership.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <thread>

#include "base/names.h"
#include "nemesis/node/draw.h"
#include "nemesis/node/node_state.h"
#include "nemesis/node/parallel.h"
#include "nemesis/node/process_injection.h"
#include "nemesis/node/selector.h"

namespace ordeal {
namespace {

using Clock = std::chrono::steady_clock;
using Member = Target::Membership::Member;

constexpr double kEachNode_s = 20;  // etcd lets nobody in until all have been connected for five seconds
constexpr auto kLookPause = std::chrono::milliseconds(200);

enum class Mode { shrink, grow, replace };
const std::vector<std::string>& mode_names() {
  static const std::vector<std::string> all = {"shrink", "grow", "replace"};
  return all;
}

// So many nodes may be out while the others keep a majority of all.
std::size_t max_out(std::size_t n) { return n == 0 ? 0 : (n - 1) / 2; }

class MembershipChange final : public Injection {
 public:
  MembershipChange(const FaultContext& context, Mode mode, Selection selection)
      : cluster_(context.cluster),
        target_(context.target),
        stop_(context.stop),
        mode_(mode),
        selection_(std::move(selection)) {}

  Value describe() const override;
  std::vector<std::string> nodes() const override { return node_names(cluster_, selection_.nodes); }
  Impairment impairment() const override { return {selection_.nodes, {}}; }
  double takes_s() const override { return kEachNode_s * static_cast<double>(selection_.nodes.size()); }
  Result<void> prepare(Deadline deadline) override;
  std::vector<Undo> undo() const override {
    std::vector<Undo> out;
    for (const std::size_t i : selection_.nodes) {
      std::string script = target_.membership()->rejoin_script(node(i));
      if (!script.empty()) out.push_back({node(i).name(), start_in_undo(script)});
    }
    return out;
  }
  // One member after the other, as the system wants it; the scripts would come all at once.
  bool heals_step_by_step() const override { return true; }
  Result<void> inject(Deadline deadline) override;
  Result<Observation> confirm(Deadline deadline) override;
  Result<void> heal(Deadline deadline) override;
  Result<Observation> confirm_healed(Deadline deadline) override;

 private:
  Node& node(std::size_t i) const { return cluster_.at(i); }
  bool selected(std::size_t i) const {
    return std::find(selection_.nodes.begin(), selection_.nodes.end(), i) != selection_.nodes.end();
  }
  std::vector<std::size_t> others() const;
  Result<void> all_others_run() const;
  // What is wrong with a list of members; empty: nothing.
  std::string wrong_in_force(const std::vector<Member>& list) const;
  std::string wrong_when_healed(const std::vector<Member>& list) const;
  // Reads the lists of those nodes until `enough` are as wanted, the ones that `must` among them, or time is up.
  Observation observe(const std::vector<std::size_t>& asked, std::size_t enough, const std::vector<std::size_t>& must,
                      std::string (MembershipChange::*wrong)(const std::vector<Member>&) const, const std::string& what,
                      Deadline deadline) const;

  Cluster& cluster_;
  Target& target_;
  const std::stop_token stop_;
  const Mode mode_;
  const Selection selection_;
  std::map<std::size_t, std::string> former_;  // the ids that the nodes had, by index
};

Value MembershipChange::describe() const {
  Value out = Value::map({{"mode", mode_names()[static_cast<std::size_t>(mode_)]}, {"selector", selection_.how}});
  Value list = Value::list();
  for (const auto& one : nodes()) list.items().emplace_back(one);
  out.set("nodes", std::move(list));
  Value ids = Value::map();
  for (const auto& [i, id] : former_) ids.set(node(i).name(), id);
  out.set("members_before", std::move(ids));
  if (!selection_.note.empty()) out.set("note", selection_.note);
  return out;
}

std::vector<std::size_t> MembershipChange::others() const {
  std::vector<std::size_t> out;
  for (std::size_t i = 0; i < cluster_.size(); ++i) {
    if (!selected(i)) out.push_back(i);
  }
  return out;
}

// A system may let nobody in, not even one that it knew, while a member that stays is not there (etcd does so).
Result<void> MembershipChange::all_others_run() const {
  if (target_.processes() == nullptr) return {};
  return all_done(on_each(others(), [&](std::size_t i) -> Result<std::string> {
    const auto pids = target_.processes()->pids(node(i));
    if (!pids) return fail(pids.error());
    if (pids->empty()) return fail(ErrorCode::target, node(i).name() + ", which is to stay a member, does not run");
    return std::string();
  }));
}

Result<void> MembershipChange::prepare(Deadline deadline) {
  if (auto run = all_others_run(); !run) return run;
  Error problem{ErrorCode::target, "no other node lists the members"};
  for (const std::size_t asked : others()) {
    const auto list = target_.membership()->members(node(asked), deadline.within(std::chrono::seconds(3)));
    if (!list) {
      problem = list.error();
      continue;
    }
    for (const std::size_t i : selection_.nodes) {
      const auto found =
          std::find_if(list->begin(), list->end(), [&](const Member& one) { return one.node == node(i).name(); });
      if (found == list->end() || !found->started) {
        return fail(ErrorCode::target, fmt::format("{} is no member that has joined, as {} lists them", node(i).name(),
                                                   node(asked).name()));
      }
      former_[i] = found->id;
    }
    return {};
  }
  return fail(problem);
}

Result<void> MembershipChange::inject(Deadline deadline) {
  for (const std::size_t i : selection_.nodes) {
    if (stop_.stop_requested()) break;
    if (auto gone = target_.membership()->remove(node(i), deadline); !gone)
      return fail(gone.error().during("removing a member"));
    if (mode_ == Mode::shrink) continue;
    if (auto added = target_.membership()->add(node(i), deadline); !added)
      return fail(added.error().during("adding a member"));
    if (mode_ == Mode::grow) continue;
    if (auto started = target_.start(node(i)); !started) return fail(started.error().during("starting a new member"));
  }
  return {};
}

Result<void> MembershipChange::heal(Deadline deadline) {
  for (const std::size_t i : selection_.nodes) {
    if (auto added = target_.membership()->add(node(i), deadline); !added)
      return fail(added.error().during("adding a member"));
    if (auto started = target_.start(node(i)); !started) return fail(started.error().during("starting a new member"));
  }
  return {};
}

std::string MembershipChange::wrong_in_force(const std::vector<Member>& list) const {
  for (const std::size_t i : selection_.nodes) {
    const std::string& name = node(i).name();
    const Member* found = nullptr;
    for (const Member& one : list) {
      if (one.id == former_.at(i)) return fmt::format("lists {} as the member {} that it was", name, one.id);
      if (one.node == name) found = &one;
    }
    if (mode_ == Mode::shrink && found != nullptr) return fmt::format("lists {} as the new member {}", name, found->id);
    if (mode_ == Mode::shrink) continue;
    if (found == nullptr) return fmt::format("does not list {}", name);
    if (found->started != (mode_ == Mode::replace)) {
      return fmt::format("lists {} as a member that has {}joined", name, found->started ? "" : "not ");
    }
  }
  return "";
}

std::string MembershipChange::wrong_when_healed(const std::vector<Member>& list) const {
  if (list.size() != cluster_.size())
    return fmt::format("lists {} members instead of {}", list.size(), cluster_.size());
  for (const auto& one : cluster_.nodes) {
    const auto found =
        std::find_if(list.begin(), list.end(), [&](const Member& member) { return member.node == one->name(); });
    if (found == list.end()) return fmt::format("does not list {}", one->name());
    if (!found->started) return fmt::format("lists {} as a member that has not joined", one->name());
  }
  for (const auto& [i, id] : former_) {
    for (const Member& member : list) {
      if (member.id == id) return fmt::format("lists {} as the member {} that it was", node(i).name(), id);
    }
  }
  return "";
}

Observation MembershipChange::observe(const std::vector<std::size_t>& asked, std::size_t enough,
                                      const std::vector<std::size_t>& must,
                                      std::string (MembershipChange::*wrong)(const std::vector<Member>&) const,
                                      const std::string& what, Deadline deadline) const {
  while (true) {
    std::vector<std::string> problems(cluster_.size());
    (void)on_each(asked, [&](std::size_t i) -> Result<std::string> {
      const auto list = target_.membership()->members(node(i), deadline.within(std::chrono::seconds(2)));
      problems[i] = list ? (this->*wrong)(*list) : "does not answer";
      return std::string();
    });
    std::vector<std::string> agree;
    std::string rest;
    bool complete = true;
    for (const std::size_t i : asked) {
      if (problems[i].empty()) {
        agree.push_back(node(i).name());
        continue;
      }
      rest += fmt::format("; {} {}", node(i).name(), problems[i]);
      complete = complete && std::find(must.begin(), must.end(), i) == must.end();
    }
    Observation out{agree.size() >= enough && complete,
                    fmt::format("the lists of {} of {} nodes{}{}: {}{}", agree.size(), asked.size(),
                                agree.empty() ? "" : ", ", agree.empty() ? "" : joined(agree), what, rest)};
    if (out.confirmed || Clock::now() + 2 * kLookPause > deadline) return out;
    std::this_thread::sleep_for(kLookPause);
  }
}

Result<Observation> MembershipChange::confirm(Deadline deadline) {
  static constexpr const char* kWhat[] = {"{} no longer among the members", "{} announced as new, and not there",
                                          "{} in the cluster as new, with another id"};
  const std::string names = joined(nodes());
  const std::string what = fmt::format(fmt::runtime(kWhat[static_cast<std::size_t>(mode_)]), names);
  const auto asked = others();
  // Who lists them is cut off or slow at the moment, or it is a majority of those that are left.
  const Deadline soon = mode_ == Mode::replace ? deadline : deadline.within(std::chrono::seconds(5));
  return observe(asked, asked.size() / 2 + 1, {}, &MembershipChange::wrong_in_force, what, soon);
}

Result<Observation> MembershipChange::confirm_healed(Deadline deadline) {
  std::vector<std::size_t> all(cluster_.size());
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = i;
  return observe(all, all.size() / 2 + 1, selection_.nodes, &MembershipChange::wrong_when_healed,
                 fmt::format("all {} nodes are members that have joined, {} with another id than before", all.size(),
                             joined(nodes())),
                 deadline.within(std::chrono::seconds(20)));
}

std::string inapplicable(const FaultContext& context) {
  const std::size_t n = context.cluster.size();
  if (n == 0 || context.target.membership() == nullptr) {
    return fmt::format("target {} cannot change the membership of a cluster while it runs", context.target.name());
  }
  if (max_out(n) == 0) return "a member can only be missed in a cluster of three or more";
  const std::string text = context.options.string("membership.nodes");
  if (const std::string problem = selector_problem(text, context); !problem.empty())
    return "membership.nodes: " + problem;
  const std::size_t named = 1 + static_cast<std::size_t>(std::count(text.begin(), text.end(), ','));
  if (text == "all" || text == "majority" || text == "followers" || named > max_out(n)) {
    return fmt::format("membership.nodes={} would take the quorum; at most {} of {} members may leave", text,
                       max_out(n), n);
  }
  return "";
}

Result<std::unique_ptr<Injection>> plan(const FaultContext& context, std::mt19937_64& random) {
  const std::size_t drawn = draw_below(random, mode_names().size());
  auto selection = select_nodes(context.options.string("membership.nodes"), context, random);
  if (!selection) return fail(selection.error());
  // Several lead when the cluster has split; any subset may be too large.
  if (const std::size_t max_nodes = max_out(context.cluster.size()); selection->nodes.size() > max_nodes) {
    selection->nodes.resize(max_nodes);
    selection->note = fmt::format("only the first {} of them, so that a majority is left", max_nodes);
  }
  const std::string mode = context.options.string("membership.mode");
  const auto named = std::find(mode_names().begin(), mode_names().end(), mode);
  const std::size_t chosen =
      named == mode_names().end() ? drawn : static_cast<std::size_t>(named - mode_names().begin());
  return std::make_unique<MembershipChange>(context, static_cast<Mode>(chosen), *std::move(selection));
}

}  // namespace

FaultFactory membership_fault() {
  using Type = OptionSpec::Type;
  FaultFactory out;
  out.name = "membership";
  out.node_by_node = true;
  out.help =
      "Changes who belongs to the cluster while it works, one member after the other: members leave, come back, are "
      "replaced, new ones are announced. Never takes the quorum by itself. Healed by adding and starting what is "
      "missing. "
      "Mechanism: the target's own interface, asked of a member that stays; the removed member's processes are killed "
      "and "
      "its data deleted, so that it comes back as a new one with an empty disk. Proof: the lists of members that the "
      "other "
      "nodes give, before, during and after. Needs on the nodes: what the target needs to be started. When the "
      "controller "
      "dies, each node that is out asks the other members to let it in again and starts as a new one, if the target "
      "has a "
      "script for that (etcd: needs bash, flock and timeout on the node; etcd lets nobody in until all members have "
      "been "
      "connected for five seconds, so that this may take longer than five). `ordeal heal` does the same, and says on "
      "which "
      "node it could not.";
  out.options = {
      {"membership.mode",
       Type::string,
       "random",
       "shrink: members leave, and come back when it is healed; grow: they leave and are announced as new ones at once "
       "(the "
       "quorum counts them), but started only when it is healed; replace: they leave and join as new ones at once; "
       "random "
       "draws among them",
       std::nullopt,
       std::nullopt,
       {"random", "shrink", "grow", "replace"}},
      {"membership.nodes", Type::string, "random",
       "which members: a selector (one, minority, primaries, …) or a named set (n1,n3), at most a minority; random "
       "draws "
       "among one, minority and primaries"},
  };
  out.inapplicable = inapplicable;
  out.plan = plan;
  return out;
}

}  // namespace ordeal
