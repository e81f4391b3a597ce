// The catalogue of models: a row each. Whoever asks something by a model's name asks its row.

#include <algorithm>
#include <charconv>

#include "base/names.h"
#include "checkers/linearizability/models/model_base.h"
#include "checkers/linearizability/models/specification.h"

namespace ordeal::lin {
namespace {

// What operations show. Each is true of no history that another model, a workload or transactions claim, so that the
// order in which they are asked does not matter (guess.cc).
bool looks_like_register(const Looks& looks) {
  return looks.has("write") && looks.within({"read", "write"}) && !looks.tuples() && !looks.reads(Value::Kind::list) &&
         !(looks.any_micro("r") && looks.any_micro("w"));
}
bool looks_like_cas_register(const Looks& looks) {
  return looks.has("cas") && looks.within({"read", "write", "cas"}) && !looks.tuples();
}
bool looks_like_kv(const Looks& looks) { return looks.has("get") && looks.within({"get", "put", "append"}); }
bool looks_like_queue(const Looks& looks) { return looks.has("enqueue") && looks.within({"enqueue", "dequeue"}); }
bool looks_like_unique_ids(const Looks& looks) { return looks.has("generate") && looks.within({"generate"}); }

}  // namespace

const std::vector<ModelInfo>& models() {
  static const std::vector<ModelInfo> all = {
      {"register", "read, write", make_register, Family::registers, DataType::other, WeakLevels::all,
       NilResults::as_asked, specify_register, looks_like_register},
      {"cas-register", "read, write, cas [old, new]", make_register, Family::registers, DataType::other,
       WeakLevels::with_cas, NilResults::as_asked, specify_register, looks_like_cas_register},
      {"versioned-register", "read, write, cas of [version, value]; every change raises the version",
       make_versioned_register, Family::other, DataType::other, WeakLevels::none, NilResults::as_asked,
       specify_versioned_register},
      {"multi-register", "read, write, cas by key, and txn [[\"r\"|\"w\", key, value], ...] over several",
       make_multi_register, Family::registers, DataType::other, WeakLevels::all, NilResults::as_asked,
       specify_register},
      {"kv", "get, put, append of strings by key", make_kv, Family::other, DataType::other, WeakLevels::none,
       NilResults::observed, specify_kv, looks_like_kv},
      {"counter", "add n, read, fetch-add [delta, number before]", make_counter, Family::counters, DataType::counter,
       WeakLevels::none, NilResults::as_asked, specify_counter},
      {"fetch-add", "fetch-add [delta, number before], read", make_counter, Family::counters, DataType::counter,
       WeakLevels::none, NilResults::as_asked, specify_counter},
      {"set", "add, remove, contains [element, bool], read of all elements", make_set, Family::elements, DataType::set,
       WeakLevels::none, NilResults::as_asked, specify_set},
      {"log", "append, read of all elements or from an offset", make_log, Family::elements, DataType::log,
       WeakLevels::none, NilResults::as_asked, specify_log},
      {"queue", "enqueue, dequeue in first-in first-out order; nil: it was empty", make_queue, Family::containers,
       DataType::fifo_queue, WeakLevels::none, NilResults::observed, specify_queue, looks_like_queue},
      {"unordered-queue", "enqueue, dequeue in any order; nil: it was empty", make_queue, Family::containers,
       DataType::unordered_queue, WeakLevels::none, NilResults::observed, specify_queue},
      {"stack", "push, pop; nil: it was empty", make_queue, Family::containers, DataType::stack, WeakLevels::none,
       NilResults::observed, specify_queue},
      {"priority-queue", "enqueue, dequeue of integers, the least first; nil: it was empty", make_queue,
       Family::containers, DataType::priority_queue, WeakLevels::none, NilResults::observed, specify_queue},
      {"mutex", "acquire, release by whomever", make_lock, Family::locks, DataType::mutex, WeakLevels::none,
       NilResults::observed, specify_lock},
      {"mutex-owner", "acquire, release by the holder", make_lock, Family::locks, DataType::owned_mutex,
       WeakLevels::none, NilResults::observed, specify_lock},
      {"reentrant-mutex", "acquire, release by the holder, as often as acquired", make_lock, Family::locks,
       DataType::reentrant_mutex, WeakLevels::none, NilResults::observed, specify_lock},
      {"fenced-mutex", "acquire returning a growing token, release by the holder", make_lock, Family::locks,
       DataType::fenced_mutex, WeakLevels::none, NilResults::observed, specify_lock},
      {"semaphore-N", "acquire, release of N permits (semaphore-2, ...) by their holders", make_lock, Family::locks,
       DataType::semaphore, WeakLevels::none, NilResults::observed, specify_lock},
      {"unique-ids", "generate, never the same id twice", make_unique_ids, Family::ids, DataType::unique_ids,
       WeakLevels::none, NilResults::observed, specify_unique_ids, looks_like_unique_ids},
      {"table:FILE", "your own: a table of transitions in a JSON file", make_table, Family::other, DataType::other,
       WeakLevels::none, NilResults::observed},
  };
  return all;
}

const ModelInfo* find_model(std::string_view name) {
  for (const ModelInfo& info : models()) {
    if (info.name == name) return &info;
    // The name of a family ends in what stands for a parameter: semaphore-N, table:FILE.
    const std::size_t fixed = info.name.find_first_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ");
    if (fixed != std::string::npos && name.starts_with(std::string_view(info.name).substr(0, fixed))) return &info;
  }
  return nullptr;
}

std::vector<std::string> model_names() {
  std::vector<std::string> out;
  for (const ModelInfo& info : models()) out.push_back(info.name);
  return out;
}

Family family_of(const Model& model) {
  const ModelInfo* info = find_model(model.name());
  return info == nullptr ? Family::other : info->family;
}

DataType type_of(const Model& model) {
  const ModelInfo* info = find_model(model.name());
  return info == nullptr ? DataType::other : info->type;
}

std::size_t permits_of(const Model& model) {
  const std::string_view name = model.name();
  switch (type_of(model)) {
    case DataType::owned_mutex:
    case DataType::reentrant_mutex:
    case DataType::fenced_mutex:
      return 1;
    case DataType::semaphore: {
      std::size_t permits = 0;
      std::from_chars(name.data() + name.rfind('-') + 1, name.data() + name.size(), permits);
      return permits;
    }
    default:
      return 0;
  }
}

Result<std::unique_ptr<Model>> make_model(const History& history, const CheckOptions& options) {
  const ModelInfo* info = find_model(options.model);
  if (info == nullptr) return fail(unknown_name("model", options.model, model_names()));
  return info->make(options.model, history, options);
}

}  // namespace ordeal::lin
