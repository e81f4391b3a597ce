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

}  // namespace ordeal
