// ordeal-genhistory: writes a register history of any length as JSON lines, for timing `ordeal check` whole-process.
// Violations: none, stale-read, lost-write, future-read, stale-replica (support/long_history.h).
//   ordeal-genhistory [ops=10000] [keys=1] [clients=10] [values=5] [cas=1] [crashed=0] [violation=none] [where=0.95]
//   [seed=1]

#include <cstdio>
#include <cstdlib>
#include <string>

#include "checkers/history/writer.h"
#include "support/long_history.h"

int main(int argc, char** argv) {
  ordeal::testing_support::LongHistory shape;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    const auto split = argument.find('=');
    const std::string name = argument.substr(0, split);
    const std::string text = split == std::string::npos ? "1" : argument.substr(split + 1);
    const double value = std::atof(text.c_str());
    if (name == "violation") {
      const auto found = ordeal::testing_support::find_violation(text);
      if (!found) {
        std::fprintf(stderr, "unknown violation %s; known: none, stale-read, lost-write, future-read, stale-replica\n",
                     text.c_str());
        return 64;
      }
      shape.violation = *found;
      continue;
    }
    if (name == "ops")
      shape.operations = static_cast<std::size_t>(value);
    else if (name == "keys")
      shape.keys = static_cast<std::size_t>(value);
    else if (name == "clients")
      shape.clients = static_cast<int>(value);
    else if (name == "values")
      shape.values = static_cast<int>(value);
    else if (name == "cas")
      shape.cas = value != 0;
    else if (name == "crashed")
      shape.crashed = value;
    else if (name == "where")
      shape.where = value;
    else if (name == "seed")
      shape.seed = static_cast<std::uint64_t>(value);
    else {
      std::fprintf(stderr,
                   "unknown argument %s; known: ops, keys, clients, values, cas, crashed, violation, where, seed\n",
                   name.c_str());
      return 64;
    }
  }
  const ordeal::History history = ordeal::testing_support::long_history(shape);
  std::string out;
  for (ordeal::EventIndex e = 0; e < history.size(); ++e) {
    ordeal::append_event_jsonl(out, history, e);
    if (out.size() > (1u << 20)) {
      std::fwrite(out.data(), 1, out.size(), stdout);
      out.clear();
    }
  }
  std::fwrite(out.data(), 1, out.size(), stdout);
  return 0;
}
