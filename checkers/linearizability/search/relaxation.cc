#include "checkers/linearizability/search/relaxation.h"

#include <algorithm>
#include <map>

#include "checkers/linearizability/models/operations.h"
#include "checkers/linearizability/search/tighten.h"

namespace ordeal::lin {
namespace {

// Of more values than this only those with the fewest crashed writes are counted one by one.
constexpr std::size_t kMaxValues = 32;

}  // namespace

std::vector<Relaxation> relaxations_of(const KeyHistory& history) {
  if (!is_one_register(*history.model)) return {};
  std::vector<Call> calls;
  std::vector<CallIndex> origin;
  tighten(history, calls, origin);
  std::map<std::int64_t, std::size_t> crashed;  // by value
  for (Call& call : calls) {
    if (!call.crashed()) continue;
    relax({Relaxation::Kind::count_all, 0}, call);
    ++crashed[call.op.a];
  }
  if (crashed.empty()) return {};
  std::vector<std::pair<std::size_t, std::int64_t>> fewest;
  for (const auto& [value, count] : crashed) fewest.emplace_back(count, value);
  std::sort(fewest.begin(), fewest.end());
  fewest.resize(std::min(fewest.size(), kMaxValues));
  std::vector<Relaxation> out{{Relaxation::Kind::count_nothing, 0}};
  for (const auto& [count, value] : fewest) out.push_back({Relaxation::Kind::count_one, value});
  if (crashed.size() > 1) out.push_back({Relaxation::Kind::count_all, 0});
  return out;
}

void relax(const Relaxation& relaxation, Call& call) {
  if (relaxation.kind == Relaxation::Kind::none || !call.crashed() || call.op.code != reg::kCas) return;
  call.op.code = reg::kWrite;
  call.op.a = call.op.b;
  call.op.b = 0;
}

bool is_counted(const Relaxation& relaxation, const Call& call) {
  switch (relaxation.kind) {
    case Relaxation::Kind::none:
    case Relaxation::Kind::count_all:
      return true;
    case Relaxation::Kind::count_nothing:
      return false;
    case Relaxation::Kind::count_one:
      return call.op.a == relaxation.value;
  }
  return true;
}

}  // namespace ordeal::lin
