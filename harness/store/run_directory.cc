#include "harness/store/run_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/files.h"
#include "checkers/history/parts.h"
#include "harness/store/run_contents.h"

namespace ordeal {
namespace fs = std::filesystem;
namespace {

Result<void> check_name(const std::string& name) {
  const bool good = !name.empty() && name != "." && name != ".." && name != "latest" && name.size() <= 200 &&
                    std::none_of(name.begin(), name.end(), [](char c) {
                      return c == '/' || c == '\\' || static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
                    });
  if (good) return {};
  return fail(ErrorCode::usage, "the run's name " + Value(name).to_json() +
                                    " cannot name a directory: give one without slashes and control characters, "
                                    "of at most 200 bytes, that is not \"latest\"");
}

// What is no file counts as one: whoever reads it says so.
bool holds_more_than_a_torn_line(const std::string& path) {
  std::error_code error;
  if (!fs::exists(path, error)) return false;
  if (!fs::is_regular_file(path, error)) return true;
  std::ifstream in(path, std::ios::binary);
  return std::any_of(std::istreambuf_iterator<char>(in), {}, [](char c) { return c == '\n'; });
}

}  // namespace

std::string utc_stamp(std::chrono::system_clock::time_point time) {
  using std::chrono::milliseconds;
  const auto ms = std::chrono::duration_cast<milliseconds>(time.time_since_epoch()).count();
  const std::time_t seconds = static_cast<std::time_t>(ms / 1000);
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  char day[32];
  std::strftime(day, sizeof day, "%Y%m%dT%H%M%S", &utc);
  char rest[16];
  std::snprintf(rest, sizeof rest, ".%03dZ", static_cast<int>(ms % 1000));
  return std::string(day) + rest;
}

Result<RunDirectory> RunDirectory::create(const std::string& store, const std::string& name,
                                          std::chrono::system_clock::time_point now) {
  if (auto good = check_name(name); !good) return fail(good.error());
  const std::string family = store + "/" + name;
  if (auto made = make_directories(family); !made) return fail(made.error().during("the store"));
  const std::string stamp = utc_stamp(now);
  std::string time = stamp;
  // mkdir is what makes the name ours when several runs begin at once.
  for (int attempt = 2; ::mkdir((family + "/" + time).c_str(), 0755) != 0; ++attempt) {
    if (errno != EEXIST || attempt > 1000) {
      return fail(system_error("creating the run's directory " + family + "/" + time, errno));
    }
    time = stamp + "-" + std::to_string(attempt);
  }
  RunDirectory run(family + "/" + time);
  // A file system without locks is as good a store; nobody is told then that the run is at work.
  run.lock_.reset(::open(run.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (run.lock_) (void)::flock(run.lock_.get(), LOCK_EX | LOCK_NB);
  for (const char* part : {"nodes", "anomalies"}) {
    if (auto made = make_directories(run.file(part)); !made) return fail(made.error());
  }
  if (auto linked = replace_link(family + "/latest", time); !linked) return fail(linked.error());
  if (auto linked = replace_link(store + "/latest", name + "/" + time); !linked) return fail(linked.error());
  return run;
}

bool is_at_work(const std::string& directory) {
  const Descriptor run(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return run && ::flock(run.get(), LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

Result<std::string> RunDirectory::node_directory(const std::string& node) const {
  if (auto good = check_name(node); !good) return fail(good.error().during("a node's directory"));
  const std::string path = file("nodes/" + node);
  if (auto made = make_directories(path); !made) return fail(made.error());
  return path;
}

Result<void> RunDirectory::write(std::string_view name, std::string_view contents) const {
  return replace_file(file(name), contents);
}

Result<void> RunDirectory::write(std::string_view name, const Value& value) const {
  return write(name, std::string_view(value.to_json() + "\n"));
}

Result<StoredRun> open_run(const std::string& path) {
  std::error_code error;
  fs::path directory = fs::canonical(path, error);
  if (error) return fail(system_error("opening the run " + path, error.value()));
  if (!fs::is_directory(directory, error)) directory = directory.parent_path();
  StoredRun run;
  run.path = directory.string();
  run.time = directory.filename().string();
  run.name = directory.parent_path().filename().string();
  run.history_path = run.path + "/history.jsonl";
  const std::string plan_path = run.path + "/plan.json";
  if (!fs::exists(fs::symlink_status(plan_path, error))) {
    const bool is_store = fs::exists(directory / "latest", error);
    return fail(ErrorCode::input, path + " is no run: it has no plan.json" +
                                      (is_store ? "; name one of its runs, such as " + path + "/latest" : ""));
  }
  if (auto clean = check_run_contents(run.path); !clean) return fail(clean.error());
  const auto text = read_text_file(plan_path);
  if (!text) return fail(ErrorCode::input, text.error().message);
  auto plan = Value::from_json(*text);
  if (!plan) return fail(plan.error().during(plan_path));
  run.plan = std::move(*plan);
  // Whoever reads it says what is wrong with the parts.
  const auto parts = parts_of(run.history_path);
  run.has_history = !parts || parts->size() > 1 || parts->front() != run.history_path ||
                    holds_more_than_a_torn_line(run.history_path);
  return run;
}

Result<std::vector<std::string>> list_runs(const std::string& store) {
  std::error_code error;
  std::vector<fs::path> found;
  fs::directory_iterator families(store, error);
  if (error) return fail(system_error("opening the store " + store, error.value()));
  for (const auto& family : families) {
    if (!family.is_directory(error) || family.is_symlink(error)) continue;
    for (const auto& run : fs::directory_iterator(family.path(), error)) {
      if (run.is_symlink(error) || !fs::exists(run.path() / "plan.json", error)) continue;
      found.push_back(run.path());
    }
  }
  std::sort(found.begin(), found.end(), [](const fs::path& a, const fs::path& b) {
    if (a.filename() != b.filename()) return b.filename() < a.filename();
    return a < b;
  });
  std::vector<std::string> out;
  for (const auto& one : found) out.push_back(one.string());
  return out;
}

}  // namespace ordeal
