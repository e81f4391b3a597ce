#include "checkers/linearizability/special/container_calls.h"

#include <algorithm>

#include "checkers/linearizability/models/operations.h"
#include "checkers/linearizability/special/by_value.h"

namespace ordeal::lin {
namespace {

ContainedElement element_of(const std::vector<Call>& calls, CallIndex put, CallIndex take) {
  ContainedElement element{put, take, calls[put].inv, calls[put].ret, kNever, kNever};
  if (take != kNoCall) {
    element.take_ret = calls[take].ret;
    element.put_ret = std::min(calls[put].ret, element.take_ret);
    element.take_inv = std::max(calls[take].inv, calls[put].inv);
  }
  return element;
}

}  // namespace

std::string container_objection(const KeyHistory& history) {
  if (!history.model->initial().empty()) return "it does not start empty";
  ByValue<std::uint8_t> put(history);
  for (const Call& call : history.calls) {
    if (call.op.code != queue::kPut) continue;
    const auto element = static_cast<std::size_t>(call.op.a);
    if (put[element] != 0) return "an element is put in twice";
    put[element] = 1;
  }
  return {};
}

ContainerCalls container_calls(const KeyHistory& history) {
  const std::vector<Call>& calls = history.calls;
  ContainerCalls out;
  ByValue<CallIndex> take_of(history, kNoCall);
  ByValue<std::uint8_t> put(history);
  for (CallIndex i = 0; i < calls.size(); ++i) {
    const Operation& op = calls[i].op;
    if (op.code == queue::kPut) {
      put[static_cast<std::size_t>(op.a)] = 1;
    } else if (calls[i].crashed()) {
      out.crashed_takes.push_back(i);
    } else if (op.a == kNil) {
      out.empties.push_back(i);
    } else {
      CallIndex& take = take_of[static_cast<std::size_t>(op.a)];
      if (take != kNoCall && out.contradiction.empty()) out.contradiction = {take, i};
      take = i;
    }
  }
  for (CallIndex i = 0; i < calls.size(); ++i) {
    if (calls[i].op.code == queue::kTake) {
      const bool known = !calls[i].crashed() && calls[i].op.a != kNil;
      if (known && put[static_cast<std::size_t>(calls[i].op.a)] == 0 && out.contradiction.empty())
        out.contradiction = {i};
      continue;
    }
    const CallIndex take = take_of[static_cast<std::size_t>(calls[i].op.a)];
    if (!out.contradiction.empty() && calls[out.contradiction[0]].op.a == calls[i].op.a) out.contradiction.push_back(i);
    if (take == kNoCall && calls[i].crashed()) continue;
    const ContainedElement element = element_of(calls, i, take);
    if (element.take_ret < element.put_inv && out.contradiction.empty()) out.contradiction = {i, take};
    out.elements.push_back(element);
  }
  return out;
}

ContainerCalls container_calls(const std::vector<Call>& calls, const std::vector<CallIndex>& take_of_put) {
  ContainerCalls out;
  for (CallIndex i = 0; i < calls.size(); ++i) {
    if (calls[i].op.code == queue::kTake) {
      if (!calls[i].crashed() && calls[i].op.a == kNil) out.empties.push_back(i);
      continue;
    }
    const CallIndex take = take_of_put[i];
    if (take == kNoCall && calls[i].crashed()) continue;
    out.elements.push_back(element_of(calls, i, take));
  }
  return out;
}

std::vector<CallIndex> covered_empty(const std::vector<Call>& calls, const ContainerCalls& container) {
  Cover inside;
  for (const ContainedElement& element : container.elements) inside.add(element.put_ret, element.take_inv);
  for (const CallIndex empty : container.empties) {
    if (!inside.covers(calls[empty].inv, calls[empty].ret)) continue;
    std::vector<CallIndex> found = {empty};
    for (const ContainedElement& element : container.elements) {
      if (element.put_ret > calls[empty].ret || element.take_inv < calls[empty].inv) continue;
      found.push_back(element.put);
      if (element.take != kNoCall) found.push_back(element.take);
    }
    return found;
  }
  return {};
}

Decision decide_unordered_queue(const KeyHistory& history, const ContainerCalls& container, Budget&) {
  std::vector<CallIndex> wrong = covered_empty(history.calls, container);
  return wrong.empty() ? explained({}, false) : refuted(std::move(wrong));
}

void Cover::add(EventIndex begin, EventIndex end) {
  if (begin >= end) return;
  auto next = intervals_.upper_bound(begin);
  if (next != intervals_.begin()) {
    const auto before = std::prev(next);
    if (before->second >= begin) {
      begin = before->first;
      end = std::max(end, before->second);
      next = intervals_.erase(before);
    }
  }
  while (next != intervals_.end() && next->first <= end) {
    end = std::max(end, next->second);
    next = intervals_.erase(next);
  }
  intervals_.emplace(begin, end);
}

bool Cover::covers(EventIndex begin, EventIndex end) const {
  const auto next = intervals_.upper_bound(begin);
  return next != intervals_.begin() && std::prev(next)->second >= end;
}

}  // namespace ordeal::lin
