#include "nemesis/engine/groundworks.h"

#include <algorithm>
#include <utility>

#include "nemesis/node/parallel.h"

namespace ordeal {

Result<void> Groundworks::set_up(const Lanes& lanes, Deadline deadline) {
  std::vector<const Groundwork*> known;
  for (const Lane& lane : lanes.all) {
    const Groundwork* wanted = lane.fault->groundwork == nullptr ? nullptr : lane.fault->groundwork(*lane.options);
    if (wanted == nullptr || std::find(known.begin(), known.end(), wanted) != known.end()) continue;
    known.push_back(wanted);
    if (auto done = lay(*wanted, *lane.options, deadline); !done) return done;
  }
  return {};
}

// The same order as with a fault: first what undoes it is on disk, here and on the nodes.
Result<void> Groundworks::lay(const Groundwork& groundwork, const Options& options, Deadline deadline) {
  const std::string name = groundwork_id(options_.run + "-", groundwork.name);
  const FaultContext context{cluster_, target_, options, name, {}, options_.seed};
  auto undoing = net_.complete(name, groundwork.name, groundwork.undo(context));
  if (!undoing) return fail(undoing.error());
  if (auto done = net_.announce(*undoing, Value::map()); !done) return done;
  laid_.push_back(*undoing);
  if (auto done = net_.arm(*undoing, deadline); !done) return done;
  if (auto done = groundwork.lay(context, deadline); !done)
    return fail(done.error().during("laying the groundwork " + groundwork.name));
  return {};
}

Result<void> Groundworks::tear_down(Deadline deadline) {
  while (!laid_.empty()) {
    const Undoing& last = laid_.back();
    if (auto done = all_done(net_.undo(last, deadline)); !done) return done;
    net_.release(last);
    if (auto done = net_.close(last); !done) return done;
    laid_.pop_back();
  }
  return {};
}

}  // namespace ordeal
