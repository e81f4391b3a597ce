#include "nemesis/make_nemesis.h"

#include <utility>
#include <vector>

#include "nemesis/catalogue.h"
#include "nemesis/engine/driver.h"
#include "nemesis/node_needs.h"

namespace ordeal {

Result<std::unique_ptr<Nemesis>> make_nemesis(const Plan& plan, std::string ledger_path, Cluster& cluster,
                                              Target& target) {
  if (plan.nemesis.empty()) return std::unique_ptr<Nemesis>();
  std::vector<const FaultFactory*> chosen;
  for (const auto& name : plan.nemesis) {
    const auto factory = find_fault(name);
    if (!factory) return fail(factory.error());
    chosen.push_back(*factory);
  }
  return make_driver(driver_options(plan, std::move(ledger_path)), FaultContext{cluster, target, plan.options}, chosen,
                     missing_needs(cluster));
}

Result<std::unique_ptr<Nemesis>> make_freezer(const Plan& plan, std::string ledger_path, Cluster& cluster,
                                              Target& target) {
  const auto pause = find_fault("pause");
  if (!pause) return fail(pause.error());
  // The plan's own may not know it; what it says of the fault is about something else.
  const Options own((*pause)->options);
  const FaultContext context{cluster, target, own};
  if (!(*pause)->inapplicable(context).empty()) return std::unique_ptr<Nemesis>();
  DriverOptions options;
  options.seed = plan.seed;
  options.ledger_path = std::move(ledger_path);
  options.node_spec = plan.nodes;
  options.timeline = R"([{"at":0,"fault":"pause","duration":3600,"nodes":"all"}])";
  options.keep_quorum = false;
  return make_driver(std::move(options), context, {*pause}, missing_needs(cluster));
}

}  // namespace ordeal
