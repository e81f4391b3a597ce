// The catalogue of models: one line each.

#include <algorithm>
#include <charconv>

#include "base/names.h"
#include "checkers/linearizability/models/model_base.h"

namespace ordeal::lin {
namespace {

struct Entry {
  ModelInfo info;
  MadeModel (*make)(std::string_view, const History&, const CheckOptions&);
};

const std::vector<Entry>& entries() {
  static const std::vector<Entry> all = {
      {{"register", "read, write"}, make_register},
      {{"cas-register", "read, write, cas [old, new]"}, make_register},
      {{"versioned-register", "read, write, cas of [version, value]; every change raises the version"},
       make_versioned_register},
      {{"multi-register", "read, write, cas by key, and txn [[\"r\"|\"w\", key, value], ...] over several"},
       make_multi_register},
      {{"kv", "get, put, append of strings by key"}, make_kv},
      {{"counter", "add n, read, fetch-add [delta, number before]"}, make_counter},
      {{"fetch-add", "fetch-add [delta, number before], read"}, make_counter},
      {{"set", "add, remove, contains [element, bool], read of all elements"}, make_set},
      {{"log", "append, read of all elements or from an offset"}, make_log},
      {{"queue", "enqueue, dequeue in first-in first-out order; nil: it was empty"}, make_queue},
      {{"unordered-queue", "enqueue, dequeue in any order; nil: it was empty"}, make_queue},
      {{"stack", "push, pop; nil: it was empty"}, make_queue},
      {{"priority-queue", "enqueue, dequeue of integers, the least first; nil: it was empty"}, make_queue},
      {{"mutex", "acquire, release by whomever"}, make_lock},
      {{"mutex-owner", "acquire, release by the holder"}, make_lock},
      {{"reentrant-mutex", "acquire, release by the holder, as often as acquired"}, make_lock},
      {{"fenced-mutex", "acquire returning a growing token, release by the holder"}, make_lock},
      {{"semaphore-N", "acquire, release of N permits (semaphore-2, ...) by their holders"}, make_lock},
      {{"unique-ids", "generate, never the same id twice"}, make_unique_ids},
      {{"table:FILE", "your own: a table of transitions in a JSON file"}, make_table},
  };
  return all;
}

const Entry* find_entry(std::string_view name) {
  for (const Entry& entry : entries()) {
    if (entry.info.name == name) return &entry;
    if (entry.info.name == "table:FILE" && name.starts_with("table:")) return &entry;
    if (entry.info.name == "semaphore-N" && name.starts_with("semaphore-")) return &entry;
  }
  return nullptr;
}

}  // namespace

const std::vector<ModelInfo>& models() {
  static const std::vector<ModelInfo> all = [] {
    std::vector<ModelInfo> out;
    for (const Entry& entry : entries()) out.push_back(entry.info);
    return out;
  }();
  return all;
}

std::vector<std::string> model_names() {
  std::vector<std::string> out;
  for (const ModelInfo& info : models()) out.push_back(info.name);
  return out;
}

bool is_model(std::string_view name) { return find_entry(name) != nullptr; }

Result<std::unique_ptr<Model>> make_model(const History& history, const CheckOptions& options) {
  const Entry* entry = find_entry(options.model);
  if (entry == nullptr) return fail(unknown_name("model", options.model, model_names()));
  return entry->make(options.model, history, options);
}

}  // namespace ordeal::lin
