#include "checkers/prefix.h"

namespace ordeal {

PrefixUse prefix_use(const Checker& checker, const CheckOptions& options) {
  const auto is_level = [&](std::string_view level) {
    return options.consistency.empty() || options.consistency == level;
  };
  if (checker.name() == "linearizable" && is_level("linearizable")) {
    const bool registers = options.model == "register" || options.model == "cas-register";
    return registers && options.nil_reads == NilReads::observe ? PrefixUse::windows : PrefixUse::whole;
  }
  if (checker.name() == "transactional" && is_level("strict-serializable")) return PrefixUse::whole;
  return checker.name() == "unique-ids" ? PrefixUse::whole : PrefixUse::none;
}

}  // namespace ordeal
