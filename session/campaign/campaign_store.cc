#include "session/campaign/campaign_store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <map>
#include <thread>

#include "base/files.h"
#include "base/text.h"
#include "base/version.h"
#include "harness/store/run_directory.h"
#include "session/resolve_plan.h"

namespace ordeal {
namespace fs = std::filesystem;
namespace {

constexpr const char* kCampaigns = "campaigns";
constexpr const char* kPlan = "campaign.json";
constexpr const char* kRuns = "runs.jsonl";

// A campaign's name as a directory, whatever its file is called.
std::string folder_name(const std::string& name) {
  std::string out;
  for (const char c : name) out += static_cast<unsigned char>(c) < 0x20 || c == 0x7F || c == '/' || c == '\\' ? '_' : c;
  if (out.size() > 200) out.resize(200);
  if (out.empty()) return "campaign";
  return out == "latest" || out.front() == '.' ? "campaign-" + out : out;
}

Value campaign_to_value(const Campaign& campaign) {
  Value out = Value::map();
  out.set("version", 1);
  out.set("ordeal", kVersion);
  out.set("campaign", campaign.name);
  out.set("settings", campaign.settings.to_value());
  if (campaign.shard.of > 1) {
    out.set("shard", Value::map({{"index", static_cast<std::int64_t>(campaign.shard.index)},
                                 {"of", static_cast<std::int64_t>(campaign.shard.of)}}));
  }
  Value runs = Value::list();
  for (const PlannedRun& run : campaign.runs) {
    Value one = Value::map();
    one.set("name", run.name);
    one.set("expect", run.expect.text());
    one.set("plan", run.plan.to_value());
    runs.items().push_back(std::move(one));
  }
  out.set("runs", std::move(runs));
  return out;
}

const Value* member(const Value& map, const char* key, bool (Value::*is)() const) {
  const Value* found = map.find(key);
  return found != nullptr && (found->*is)() ? found : nullptr;
}

Result<PlannedRun> run_from_value(const Value& value) {
  const Value* name = member(value, "name", &Value::is_string);
  const Value* expect = member(value, "expect", &Value::is_string);
  const Value* plan = member(value, "plan", &Value::is_map);
  if (name == nullptr || expect == nullptr || plan == nullptr) {
    return fail(ErrorCode::input, "a run lacks its name, plan or expectation");
  }
  auto read = read_plan(*plan);
  if (!read) return fail(read.error().during("run \"" + name->string() + "\""));
  auto expected = parse_expectation(expect->string());
  if (!expected) return fail(ErrorCode::input, expected.error().message);
  return PlannedRun{name->string(), *std::move(read), *std::move(expected)};
}

Result<Campaign> campaign_from_value(const Value& value) {
  const Value* name = member(value, "campaign", &Value::is_string);
  const Value* settings = member(value, "settings", &Value::is_map);
  const Value* runs = member(value, "runs", &Value::is_list);
  if (name == nullptr || settings == nullptr || runs == nullptr) {
    return fail(ErrorCode::input, "it lacks its name, settings or runs");
  }
  auto how = CampaignSettings::from_value(*settings);
  if (!how) return fail(how.error());
  Campaign out{name->string(), *how, {}, true, {}};
  if (const Value* shard = value.find("shard")) {
    const Value* index = member(*shard, "index", &Value::is_integer);
    const Value* of = member(*shard, "of", &Value::is_integer);
    if (index == nullptr || of == nullptr || index->integer() < 1 || of->integer() < index->integer()) {
      return fail(ErrorCode::input, "its shard is none");
    }
    out.shard = {static_cast<std::size_t>(index->integer()), static_cast<std::size_t>(of->integer())};
  }
  for (const Value& one : runs->items()) {
    auto run = run_from_value(one);
    if (!run) return fail(run.error());
    out.runs.push_back(*std::move(run));
  }
  return out;
}

// The whole lines of the journal. One that breaks off is that of a controller that was killed.
Result<std::vector<RunRecord>> read_records(const std::string& path, std::size_t runs) {
  auto text = read_text_file(path);
  if (!text && text.error().code == ErrorCode::not_found) return std::vector<RunRecord>{};
  if (!text) return fail(text.error());
  text->resize(text->rfind('\n') + 1);  // npos + 1 is 0
  std::map<std::size_t, RunRecord> last;
  std::size_t number = 0;
  for (const auto& line : lines(*text)) {
    ++number;
    const auto value = Value::from_json(line);
    auto record = value ? RunRecord::from_value(*value) : Result<RunRecord>(fail(value.error()));
    const std::string place = path + ":" + std::to_string(number);
    if (!record) return fail(ErrorCode::input, place + ": " + record.error().message);
    if (record->run >= runs) return fail(ErrorCode::input, place + ": the campaign has no such run");
    const std::size_t run = record->run;
    last[run] = *std::move(record);
  }
  std::vector<RunRecord> out;
  for (auto& [run, record] : last) out.push_back(std::move(record));
  return out;
}

Result<Value> read_plan_file(const std::string& directory) {
  const std::string path = directory + "/" + kPlan;
  const auto text = read_text_file(path);
  if (!text && text.error().code == ErrorCode::not_found) {
    return fail(ErrorCode::input, directory + " is no campaign's directory: it has no campaign.json");
  }
  if (!text) return fail(ErrorCode::input, text.error().message);
  auto value = Value::from_json(*text);
  if (!value) return fail(value.error().during(path));
  return value;
}

// Makes a directory of its own, also for two campaigns that begin within one millisecond.
Result<std::string> make_directory(const std::string& family) {
  if (auto made = make_directories(family); !made) return fail(made.error().during("the store"));
  const std::string stamp = utc_stamp(std::chrono::system_clock::now());
  std::string time = stamp;
  for (int attempt = 2; ::mkdir((family + "/" + time).c_str(), 0755) != 0; ++attempt) {
    if (errno != EEXIST || attempt > 1000) {
      return fail(system_error("creating the campaign's directory " + family + "/" + time, errno));
    }
    time = stamp + "-" + std::to_string(attempt);
  }
  return time;
}

// Errors: usage, when somebody has it for longer than what a killed controller started needs to end. A file system
// without locks is as good.
Result<Descriptor> locked(const std::string& directory) {
  Descriptor lock(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  for (int tries = 0; lock && ::flock(lock.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK; ++tries) {
    if (tries == 30) return fail(ErrorCode::usage, directory + ": somebody is playing this campaign");
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  return lock;
}

// Until no process holds the campaign any more. Errors: usage. A file system without locks is as good.
Result<void> await_holders(const std::string& directory) {
  const Descriptor file(::open((directory + "/" + kPlan).c_str(), O_RDONLY | O_CLOEXEC));
  for (int tries = 0; file && ::flock(file.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK; ++tries) {
    if (tries == 1200) return fail(ErrorCode::usage, directory + ": runs of an earlier sitting are still ending");
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  return {};
}

}  // namespace

Result<Descriptor> hold_campaign(const std::string& directory) {
  const std::string path = directory + "/" + kPlan;
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return fail(system_error("opening " + path, errno));
  (void)::flock(file.get(), LOCK_SH);  // of a file system without locks: nothing
  return file;
}

std::string latest_campaign(const std::string& store) { return store + "/" + kCampaigns + "/latest"; }

std::string within(const std::string& store, const std::string& directory) {
  if (directory.empty()) return "";
  std::error_code error;
  const fs::path root = fs::weakly_canonical(store, error);
  const fs::path relative = fs::path(directory).lexically_relative(root);
  return error || relative.empty() || *relative.begin() == ".." ? directory : relative.string();
}

Result<StoredCampaign> read_stored_campaign(const std::string& path) {
  std::error_code error;
  const fs::path directory = fs::canonical(path, error);
  if (error) return fail(system_error("opening the campaign " + path, error.value()));
  StoredCampaign out;
  out.path = directory.string();
  out.store = directory.parent_path().parent_path().parent_path().string();
  auto value = read_plan_file(out.path);
  if (!value) return fail(value.error());
  auto campaign = campaign_from_value(*value);
  if (!campaign) return fail(campaign.error().during(out.path + "/" + kPlan));
  out.campaign = *std::move(campaign);
  for (PlannedRun& run : out.campaign.runs) run.plan.store = out.store;
  auto records = read_records(out.path + "/" + kRuns, out.campaign.runs.size());
  if (!records) return fail(records.error());
  out.records = *std::move(records);
  return out;
}

Result<CampaignStore> CampaignStore::create(Campaign campaign, const std::string& store) {
  const std::string root = store + "/" + kCampaigns;
  const std::string name = folder_name(campaign.name);
  const std::string family = root + "/" + name;
  auto time = make_directory(family);
  if (!time) return fail(time.error());
  CampaignStore out;
  out.stored_.path = fs::absolute(family + "/" + *time).lexically_normal().string();
  out.stored_.store = store;
  out.stored_.campaign = std::move(campaign);
  auto lock = locked(out.path());
  if (!lock) return fail(lock.error());
  out.lock_ = *std::move(lock);
  if (auto made = out.write(kPlan, campaign_to_value(out.campaign()).to_json() + "\n"); !made)
    return fail(made.error());
  if (auto opened = out.open_journal(); !opened) return fail(opened.error());
  // Only now: what `latest` names can be resumed.
  if (auto linked = replace_link(family + "/latest", *time); !linked) return fail(linked.error());
  if (auto linked = replace_link(root + "/latest", name + "/" + *time); !linked) return fail(linked.error());
  return out;
}

Result<CampaignStore> CampaignStore::resume(const std::string& path) {
  std::error_code error;
  const fs::path directory = fs::canonical(path, error);
  if (error) return fail(system_error("opening the campaign " + path, error.value()));
  const auto value = read_plan_file(directory.string());
  if (!value) return fail(value.error());
  const Value* version = member(*value, "ordeal", &Value::is_string);
  if (version == nullptr || version->string() != kVersion) {
    return fail(ErrorCode::usage,
                path + ": begun by another version of ordeal, whose defaults may differ; play it anew");
  }
  CampaignStore out;
  auto lock = locked(directory.string());
  if (!lock) return fail(lock.error());
  out.lock_ = *std::move(lock);
  if (auto alone = await_holders(directory.string()); !alone) return fail(alone.error());
  // What another wrote until it gave the lock back is read.
  auto stored = read_stored_campaign(directory.string());
  if (!stored) return fail(stored.error());
  out.stored_ = *std::move(stored);
  if (auto opened = out.open_journal(); !opened) return fail(opened.error());
  return out;
}

Result<void> CampaignStore::open_journal() {
  const std::string path = stored_.path + "/" + kRuns;
  journal_.reset(::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  if (!journal_) return fail(system_error("opening " + path, errno));
  const auto text = read_text_file(path);
  if (!text) return fail(text.error());
  const std::size_t whole = text->rfind('\n') + 1;
  if (whole != text->size() && ::ftruncate(journal_.get(), static_cast<off_t>(whole)) != 0) {
    return fail(system_error("cutting the torn line off " + path, errno));
  }
  return {};
}

Result<void> CampaignStore::keep(const RunRecord& record) {
  const std::string path = stored_.path + "/" + kRuns;
  if (auto written = write_all(journal_.get(), record.to_value().to_json() + "\n", path); !written) return written;
  if (::fdatasync(journal_.get()) != 0) return fail(system_error("syncing " + path, errno));
  return {};
}

Result<void> CampaignStore::write(std::string_view name, std::string_view contents) const {
  return replace_file(stored_.path + "/" + std::string(name), contents);
}

}  // namespace ordeal
